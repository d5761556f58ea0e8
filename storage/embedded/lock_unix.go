//go:build unix

package embedded

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// noFollow makes an open fail where the last part of the path is a link.
const noFollow = syscall.O_NOFOLLOW

// processIDLen is the length that a process id is filled up to with spaces.
const processIDLen = 20

// lockDir takes the data directory for this process. The kernel gives the lock back when the process ends, however
// it ends, so a lock is never stale. The file holds the owner's process id for the message a second one prints.
func lockDir(path string) (*os.File, error) {
	f, err := openOwn(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		owner := ""
		buf := make([]byte, 32)
		n, _ := f.ReadAt(buf, 0)
		if id := strings.TrimSpace(string(buf[:n])); id != "" {
			owner = " (process " + id + ")"
		}
		return nil, fmt.Errorf("%w%s", ErrLocked, owner)
	}
	// Of one length, so that writing over an earlier one takes no room. On a full disk there may be none for the first: that
	// is no reason not to start, and no id is better than a wrong one.
	if _, err := f.WriteAt(fmt.Appendf(nil, "%-*d\n", processIDLen, os.Getpid()), 0); err != nil {
		if err := f.Truncate(0); err != nil {
			f.Close()
			return nil, err
		}
	}
	return f, nil
}

// unlockDir gives the data directory back. Closing the file alone would not while somebody has a copy of it: a program that this
// process is just about to start holds one until it runs.
func unlockDir(f *os.File) error {
	return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
}
