//go:build unix

package datadir

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"example.org/avatard/storage"
)

// noFollow makes an open fail where the last part of the path is a link.
const noFollow = syscall.O_NOFOLLOW

// processIDLen is the length that a process id is filled up to with spaces.
const processIDLen = 20

// Lock is a directory taken for this process.
type Lock struct{ file *os.File }

// Lock takes the directory for this process, by a file in it. The kernel gives the lock back when the process ends, however it
// ends, so a lock is never stale. The file holds the process id, for the message of storage.ErrInUse.
func (d Dir) Lock(name string) (*Lock, error) {
	f, err := Open(d.File(name), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", d.File(name), err)
		}
		owner := ""
		buf := make([]byte, 32)
		n, _ := f.ReadAt(buf, 0)
		if id := strings.TrimSpace(string(buf[:n])); id != "" {
			owner = " (process " + id + ")"
		}
		return nil, fmt.Errorf("the data directory is %w%s", storage.ErrInUse, owner)
	}
	// Every id has the same length, so that writing over an earlier one takes no room. On a full disk there may be no room for the
	// first one: the process starts all the same, and leaves the file empty rather than with a wrong id.
	if _, err := f.WriteAt(fmt.Appendf(nil, "%-*d\n", processIDLen, os.Getpid()), 0); err != nil {
		if err := f.Truncate(0); err != nil {
			f.Close()
			return nil, err
		}
	}
	return &Lock{f}, nil
}

// Release gives the directory back. Closing the file alone would not do that while another process has a copy of the descriptor: a
// program that this process is just starting holds one until it runs.
func (l *Lock) Release() error {
	return errors.Join(syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN), l.file.Close())
}
