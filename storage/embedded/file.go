package embedded

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"github.com/ncruces/go-sqlite3/vfs"
)

// File is what the engine does with each of its files: the slab, the database and its log. [Config.WrapFile] can
// put something between, which the proofs of what survives a crash do.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Truncate sets the size.
	Truncate(size int64) error
	// Sync makes everything written so far durable.
	Sync() error
}

// osFile is a File of the operating system.
type osFile struct{ *os.File }

func (f osFile) Sync() error { return datasync(f.File) }

// syncDir makes the directory's entries durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// makeDir makes a directory, and those it lies in, for their owner only, and their names durable.
func makeDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) {
		if err := makeDir(filepath.Dir(dir)); err != nil {
			return err
		}
		err = os.Mkdir(dir, 0o700)
	}
	if err != nil {
		if info, serr := os.Stat(dir); serr == nil && info.IsDir() {
			return nil
		}
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// wrapVFS is SQLite's own file layer with each file handed through wrap.
type wrapVFS struct {
	vfs.VFSFilename
	wrap func(name string, f File) File
}

// vfsNames numbers the file layers of this process: SQLite finds them by name in one register.
var vfsNames atomic.Int64

// registerVFS makes wrap known to SQLite and returns the name to open a database with, and what undoes it.
func registerVFS(wrap func(string, File) File) (name string, unregister func(), err error) {
	base, ok := vfs.Find("").(vfs.VFSFilename)
	if !ok {
		return "", nil, fmt.Errorf("SQLite's file layer has changed")
	}
	name = "avatard-" + strconv.FormatInt(vfsNames.Add(1), 10)
	vfs.Register(name, &wrapVFS{VFSFilename: base, wrap: wrap})
	return name, func() { vfs.Unregister(name) }, nil
}

// OpenFilename implements vfs.VFSFilename.
func (v *wrapVFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := v.VFSFilename.OpenFilename(name, flags)
	if err != nil {
		return nil, flags, err
	}
	return &wrapFile{File: f, outer: v.wrap(filepath.Base(name.String()), sqliteFile{f})}, flags, nil
}

// sqliteFile shows a file of SQLite's layer as a File.
type sqliteFile struct{ vfs.File }

func (f sqliteFile) Sync() error { return f.File.Sync(vfs.SYNC_NORMAL) }

// wrapFile sends the calls that read, write and sync through outer, everything else straight to the file.
type wrapFile struct {
	vfs.File
	outer File
}

func (f *wrapFile) ReadAt(p []byte, off int64) (int, error)  { return f.outer.ReadAt(p, off) }
func (f *wrapFile) WriteAt(p []byte, off int64) (int, error) { return f.outer.WriteAt(p, off) }
func (f *wrapFile) Truncate(size int64) error                { return f.outer.Truncate(size) }
func (f *wrapFile) Sync(vfs.SyncFlag) error                  { return f.outer.Sync() }
func (f *wrapFile) Close() error                             { return f.outer.Close() }
func (f *wrapFile) Unwrap() vfs.File                         { return f.File }
