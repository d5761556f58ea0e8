//go:build !unix

package datadir

import "errors"

// noFollow does nothing: Dir.Lock refuses every directory on this system.
const noFollow = 0

// Lock is a directory taken for this process.
type Lock struct{}

// Lock refuses: without a lock that dies with its process two servers could share a directory unseen.
func (Dir) Lock(string) (*Lock, error) {
	return nil, errors.New("the embedded engine needs a Unix-like system")
}

// Release does nothing: Dir.Lock never returns a lock.
func (*Lock) Release() error { return nil }
