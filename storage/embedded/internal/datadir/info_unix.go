//go:build unix

package datadir

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// Owner returns the user id of a file's owner.
func Owner(info fs.FileInfo) (uid int, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}

// DiskBytes returns how much space a file takes.
func DiskBytes(info fs.FileInfo) int64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int64(stat.Blocks) * 512 //nolint:unconvert // 32 bits in some systems
	}
	return info.Size()
}

// Writable returns nil when this process may make files in the directory, else why not.
func (d Dir) Writable() error {
	const write, search = 2, 1 // W_OK, X_OK
	if err := syscall.Access(d.Path, write|search); err != nil {
		return &fs.PathError{Op: "write to", Path: d.Path, Err: err}
	}
	return nil
}

// ThisProcess names this process in a message about rights.
func ThisProcess() string { return fmt.Sprintf("this process (user id %d)", os.Geteuid()) }
