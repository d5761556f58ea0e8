// Package sqlitefs has the files through which SQLite reads and writes.
//
//	             writes, syncs               reads that do not wait
//	SQLite ─► layeredFile ─► logFile ─► Wrap ─► file        SQLite ─► readerFile
//	                          │ gathers a commit's pieces              │
//	                          └─► LogGauge: how long it is             │
//	                          └─► Pages: what is durable, and where ◄──┘
//
// [CheckLog] checks the log that a killed process left before SQLite opens it. Rows that SQLite sorts go into files without a name, in the
// data directory.
//
// The package does not depend on the database's content.
package sqlitefs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"

	"github.com/ncruces/go-sqlite3/vfs"

	"example.org/avatard/storage/embedded/internal/datadir"
)

// PageBytes is the size of a page of the database, in bytes: SQLite's default.
const PageBytes = 4096

// fileLayer is SQLite's own file layer, with the log's writes gathered (see logFile) and each file passed through wrap.
type fileLayer struct {
	vfs.VFSFilename
	dir datadir.Dir // for temporary files
	log *LogGauge
	// pages follows the writes to the database and its log.
	pages *Pages
}

// fileLayers numbers the file layers of this process: SQLite finds them by name in one register.
var fileLayers atomic.Int64

// Register registers a file layer with SQLite and returns the name to open a database with, and a function that unregisters it.
func Register(dir datadir.Dir, log *LogGauge, pages *Pages) (name string, unregister func(), err error) {
	base, ok := vfs.Find("").(vfs.VFSFilename)
	if !ok {
		return "", nil, fmt.Errorf("SQLite's file layer has changed")
	}
	name = nextFileLayer()
	vfs.Register(name, &fileLayer{VFSFilename: base, dir: dir, log: log, pages: pages})
	return name, func() { vfs.Unregister(name) }, nil
}

func nextFileLayer() string { return "avatard-" + strconv.FormatInt(fileLayers.Add(1), 10) }

// OpenFilename implements vfs.VFSFilename.
func (l *fileLayer) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	if name.String() == "" {
		f, err := openTemp(l.dir)
		return f, flags, err
	}
	f, flags, err := l.VFSFilename.OpenFilename(name, flags)
	if err != nil {
		return nil, flags, err
	}
	outer := l.dir.Wrap.Around(filepath.Base(name.String()), sqliteFile{f})
	if flags&vfs.OPEN_WAL != 0 {
		size, err := f.Size()
		if err != nil {
			return nil, flags, errors.Join(err, outer.Close())
		}
		l.log.opened(size)
		l.pages.setLog(outer)
		outer = &logFile{File: outer, gauge: l.log, pages: l.pages, unsynced: true}
	}
	if flags&vfs.OPEN_MAIN_DB != 0 {
		l.pages.setDatabase(outer)
	}
	return &layeredFile{File: f, outer: outer, name: name.String()}, flags, nil
}

// Delete implements vfs.VFS. It calls the method Removed of the directory's file, if there is one.
func (l *fileLayer) Delete(name string, sync bool) error {
	if l.dir.Wrap == nil {
		return l.VFSFilename.Delete(name, sync)
	}
	if err := l.VFSFilename.Delete(name, false); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	dir := l.dir.Wrap(datadir.Data, d)
	defer dir.Close()
	if hears, ok := dir.(interface{ Removed(name string) }); ok {
		hears.Removed(filepath.Base(name))
	}
	if !sync {
		return nil
	}
	return dir.Sync()
}

// sqliteFile shows a file of SQLite's layer as a File.
type sqliteFile struct{ vfs.File }

func (f sqliteFile) Sync() error { return f.File.Sync(vfs.SYNC_NORMAL) }

// layeredFile passes reads, writes and syncs through outer, and all other calls directly to the file.
type layeredFile struct {
	vfs.File
	outer   datadir.File
	name    string
	keepLog bool
}

func (f *layeredFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.outer.ReadAt(p, off)
	return n, f.named("read", err)
}

func (f *layeredFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.outer.WriteAt(p, off)
	return n, f.named("write", err)
}

func (f *layeredFile) Truncate(size int64) error { return f.named("truncate", f.outer.Truncate(size)) }
func (f *layeredFile) Sync(vfs.SyncFlag) error   { return f.named("sync", f.outer.Sync()) }
func (f *layeredFile) Close() error              { return f.outer.Close() }

// named adds the file's name to an error of the system that lacks it, as of a sync. SQLite would only say "disk I/O error".
func (f *layeredFile) named(op string, err error) error {
	if errno, ok := err.(syscall.Errno); ok { //nolint:errorlint // what is wrapped already says more
		return &fs.PathError{Op: op, Path: f.name, Err: errno}
	}
	return err
}

// Size includes writes that are pending in the log.
func (f *layeredFile) Size() (int64, error) {
	if log, ok := f.outer.(*logFile); ok {
		if err := log.flush(); err != nil {
			return 0, err
		}
	}
	return f.File.Size()
}

func (f *layeredFile) Unwrap() vfs.File { return f.File }

// PersistWAL and SetPersistWAL keep SQLite from removing the log when the store is closed: a full disk has its blocks then.
func (f *layeredFile) PersistWAL() bool        { return f.keepLog }
func (f *layeredFile) SetPersistWAL(keep bool) { f.keepLog = keep }
