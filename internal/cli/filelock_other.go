//go:build !unix

package cli

import (
	"io/fs"
	"os"
)

// tryLock does nothing: the storage engine does not run here, see embedded.Open.
func tryLock(*os.File) error { return nil }

// isOwn reports false, so that nothing is swept.
func isOwn(fs.FileInfo) bool { return false }
