//go:build !(linux || darwin || freebsd)

package datadir

import "errors"

// FreeSpace is not known here.
func FreeSpace(string) (free, total int64, err error) { return 0, 0, errors.ErrUnsupported }
