package localservers

import "syscall"

// endWithParent lets the kernel end a server whose starter was killed.
func endWithParent(a *syscall.SysProcAttr, death syscall.Signal) { a.Pdeathsig = death }
