//go:build unix && !linux

package localservers

import "syscall"

// endWithParent does nothing: only Linux ends a server whose starter was killed.
func endWithParent(*syscall.SysProcAttr, syscall.Signal) {}
