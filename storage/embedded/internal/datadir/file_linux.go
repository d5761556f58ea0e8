package datadir

import (
	"errors"
	"os"
	"syscall"
)

// datasync makes what was written to f durable. fdatasync writes the size, too, where a write has changed it.
func datasync(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

// Of fallocate(2): the file keeps its size, and the range becomes a hole, which reads as zeros.
const punchHole = 0x01 | 0x02

// Punch gives the blocks of a range back to the file system.
func (f OSFile) Punch(off, n int64) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	for {
		var failed error
		err := conn.Control(func(fd uintptr) { failed = syscall.Fallocate(int(fd), punchHole, off, n) })
		if !errors.Is(failed, syscall.EINTR) {
			return errors.Join(err, os.NewSyscallError("fallocate", failed))
		}
	}
}
