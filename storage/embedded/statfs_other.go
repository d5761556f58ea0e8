//go:build !(linux || darwin || freebsd)

package embedded

import "errors"

// freeSpace is not known here.
func freeSpace(string) (free, total int64, err error) { return 0, 0, errors.ErrUnsupported }
