// Package datadir handles the directory that a store is in: it makes it, takes it for one process, opens files in it and makes
// their names durable.
//
//	Dir.Make ─► Dir.Lock ─► Dir.RefuseLinks ─► Dir.Open … ─► Dir.Sync ─► Lock.Release
//
// Every file is for its owner only, and a symbolic link in place of a file is never followed. [Wrap] may put something around each file,
// as the proofs of what survives a crash do.
//
// The package does not depend on the files' content.
package datadir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"example.org/avatard/storage"
)

// File is what the engine does with each of its files.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Truncate sets the size.
	Truncate(size int64) error
	// Sync makes everything written so far durable.
	Sync() error
}

// Puncher is a File that can give blocks back to the file system: the range reads as zeros then, and the file keeps its size. It
// is durable after the next sync, like a write. The error is errors.ErrUnsupported where that is not possible. A file that a [Wrap] returns
// needs this method, too; without it, no holes are punched.
type Puncher interface {
	Punch(off, n int64) error
}

// OSFile is a File of the operating system.
type OSFile struct{ *os.File }

// Sync makes what was written durable.
func (f OSFile) Sync() error { return datasync(f.File) }

// Wrap returns what to use in place of a file; nil for none. name is the file's base name, or [Data] or [Parent].
type Wrap func(name string, f File) File

// Around returns f, or what is put around it.
func (w Wrap) Around(name string, f File) File {
	if w == nil {
		return f
	}
	return w(name, f)
}

// The names that a [Wrap] gets for directories, which are only ever synced.
const (
	Data   = "."  // the data directory: a sync makes the names of the files in it durable
	Parent = ".." // its parent: a sync makes the data directory's own name durable
)

// Dir is a data directory.
type Dir struct {
	Path string
	Wrap Wrap
}

// At is the directory at a path, with nothing put around its files.
func At(path string) Dir { return Dir{Path: path} }

// File returns the path of a file in it.
func (d Dir) File(name string) string { return filepath.Join(d.Path, name) }

// Open opens a file in it, which must not be a link.
func (d Dir) Open(name string, flag int) (File, error) {
	f, err := Open(d.File(name), flag)
	if err != nil {
		return nil, err
	}
	return d.Wrap.Around(name, OSFile{f}), nil
}

// Open opens a file, which must not be a link. A new one is for its owner only.
func Open(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag|noFollow, 0o600)
	if errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.EMLINK) { // the second is FreeBSD's
		return nil, linkError(path)
	}
	return f, err
}

// Sync makes the names of the files in it durable.
func (d Dir) Sync() error { return syncAs(d.Path, Data, d.Wrap) }

func syncAs(dir, name string, wrap Wrap) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	file := wrap.Around(name, d)
	defer file.Close()
	return file.Sync()
}

// Make makes the directory, and those it lies in, for their owner only, and their names durable. It may be there already.
func (d Dir) Make() error {
	parent := filepath.Dir(d.Path)
	err := os.Mkdir(d.Path, 0o700)
	if errors.Is(err, fs.ErrNotExist) && d.Path != parent {
		if err := (Dir{Path: parent, Wrap: d.Wrap}).Make(); err != nil {
			return err
		}
		err = os.Mkdir(d.Path, 0o700)
	}
	if err != nil {
		if info, serr := os.Stat(d.Path); serr == nil && info.IsDir() {
			// The process that made it may have been killed before its name was durable. A parent that this process may not open,
			// as on another file system, does not keep it from starting.
			_ = syncAs(parent, Parent, d.Wrap)
			return nil
		}
		return err
	}
	return syncAs(parent, Parent, d.Wrap)
}

// Nearest returns the directory itself if it is there, else the nearest one above it.
func Nearest(dir string) string {
	for {
		if info, err := os.Stat(dir); err == nil && info.IsDir() || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// RefuseLinks returns storage.ErrLink when one of these names in the directory is a link, so that the error names the file. Open never
// follows a link anyway, even one that is made later.
func (d Dir) RefuseLinks(names ...string) error {
	for _, name := range names {
		info, err := os.Lstat(d.File(name))
		if err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return linkError(d.File(name))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func linkError(path string) error {
	return fmt.Errorf("%w: %s; put the file itself there, or make the whole data directory a link", storage.ErrLink, path)
}
