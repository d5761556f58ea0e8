//go:build linux || darwin || freebsd

package datadir

import "syscall"

// FreeSpace returns how many bytes of a directory's file system processes without special rights may use, and its size in bytes.
func FreeSpace(dir string) (free, total int64, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), int64(st.Blocks) * int64(st.Bsize), nil //nolint:unconvert // other types in some systems
}
