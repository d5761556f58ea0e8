package scratch

import "syscall"

// noexec is the flag of file systems from which nothing is started.
const noexec = 8

// fits reports whether a directory has room for so many bytes, and programs can be started from it.
func fits(dir string, bytes uint64) bool {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return false
	}
	return fs.Bavail*uint64(fs.Bsize) >= bytes && fs.Flags&noexec == 0
}
