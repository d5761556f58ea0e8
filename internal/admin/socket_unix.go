//go:build unix

package admin

import "syscall"

// restrictSocket gives a socket that is not bound yet the mode that its file is to have.
func restrictSocket(fd uintptr) { _ = syscall.Fchmod(int(fd), 0o600) }
