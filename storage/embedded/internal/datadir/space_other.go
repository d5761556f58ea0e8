//go:build !(linux || darwin || freebsd)

package datadir

import "errors"

// FreeSpace returns an error: it is not known on this system.
func FreeSpace(string) (free, total int64, err error) { return 0, 0, errors.ErrUnsupported }
