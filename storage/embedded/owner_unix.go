//go:build unix

package embedded

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// ownerOf returns the user id of a file's owner.
func ownerOf(info fs.FileInfo) (uid int, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}

// writable returns nil when this process may make files in a directory, else why not.
func writable(dir string) error {
	const write, search = 2, 1 // W_OK, X_OK
	return syscall.Access(dir, write|search)
}

// whoAmI names this process in a message about rights.
func whoAmI() string { return fmt.Sprintf("this process (user id %d)", os.Geteuid()) }
