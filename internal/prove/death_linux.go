package prove

import (
	"os/exec"
	"syscall"
)

// endWithParent lets the kernel end a server whose starter was killed.
func endWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
