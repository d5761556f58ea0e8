package embedded

import (
	"os"
	"syscall"
)

// datasync makes what was written to f durable. On Linux fdatasync is enough: slots never change the file's size.
func datasync(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
