//go:build !unix

package datadir

import "io/fs"

// Owner reports that the owner is not known on this system.
func Owner(fs.FileInfo) (uid int, ok bool) { return 0, false }

// DiskBytes returns how much space a file takes, as if it had no holes.
func DiskBytes(info fs.FileInfo) int64 { return info.Size() }

// Writable returns nil: rights are not checked on this system.
func (Dir) Writable() error { return nil }

// ThisProcess names this process in a message about rights.
func ThisProcess() string { return "this process" }
