//go:build !unix

package embedded

import (
	"errors"
	"os"
)

// noFollow does nothing: no directory is opened, see lockDir.
const noFollow = 0

// lockDir refuses: without a lock that dies with its process two servers could share a directory unseen.
func lockDir(string) (*os.File, error) {
	return nil, errors.New("the embedded engine needs a Unix-like system")
}

func unlockDir(f *os.File) error { return f.Close() }
