//go:build unix

package embedded

import (
	"io/fs"
	"syscall"
)

// blocksOf returns how much space a file takes, in bytes.
func blocksOf(info fs.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int64(st.Blocks) * 512 //nolint:unconvert // 32 bits in some systems
	}
	return info.Size()
}
