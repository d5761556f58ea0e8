//go:build !unix

package login

import "os"

// lockFile does nothing: two commands that refresh at the same moment may have to log in anew.
func lockFile(*os.File) error { return nil }
