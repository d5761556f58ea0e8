//go:build unix

package login

import (
	"os"
	"syscall"
)

// lockFile waits for the lock of a file, which ends with the file or the process.
func lockFile(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX) }
