package sqlitefs

import (
	"io"
	"io/fs"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// RegisterReader registers a file layer with SQLite in which a second connection sees pages, and nothing else. It returns the name to open a
// database with, and a function that unregisters it.
func RegisterReader(p *Pages) (name string, unregister func()) {
	name = nextFileLayer()
	vfs.Register(name, &readerLayer{p})
	return name, func() { vfs.Unregister(name) }
}

// readerLayer is a file layer that has one database and nothing else.
type readerLayer struct{ pages *Pages }

func (l *readerLayer) Open(string, vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	return nil, 0, sqlite3.CANTOPEN
}

func (l *readerLayer) OpenFilename(_ *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	if flags&vfs.OPEN_MAIN_DB == 0 {
		return nil, flags, sqlite3.CANTOPEN
	}
	return &readerFile{Pages: l.pages}, flags, nil
}

func (l *readerLayer) Delete(string, bool) error                   { return fs.ErrPermission }
func (l *readerLayer) Access(string, vfs.AccessFlag) (bool, error) { return false, nil }
func (l *readerLayer) FullPathname(name string) (string, error)    { return name, nil }

// readerFile is pages as SQLite's file. Only one goroutine at a time uses it, between RLock and RUnlock.
type readerFile struct {
	*Pages
	first   [PageBytes]byte // the first page
	version uint32          // of first, 0 when it was not read
}

func (f *readerFile) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) {
		if off >= f.Pages.size {
			return n, io.EOF
		}
		page, at := uint32(off/PageBytes)+1, int(off%PageBytes)
		var m int
		switch {
		case page == 1:
			if f.version != f.Pages.version {
				f.version = 0
				if err := f.readFirst(f.first[:]); err != nil {
					return n, err
				}
				f.version = f.Pages.version
			}
			m = copy(b[n:], f.first[at:])
		case at == 0 && len(b)-n >= PageBytes:
			m, err = PageBytes, f.read(page, b[n:n+PageBytes])
		default:
			var whole [PageBytes]byte
			err = f.read(page, whole[:])
			m = copy(b[n:], whole[at:])
		}
		if err != nil {
			return n, err
		}
		n, off = n+m, off+int64(m)
	}
	return n, nil
}

func (f *readerFile) Close() error                       { return nil }
func (f *readerFile) WriteAt([]byte, int64) (int, error) { return 0, fs.ErrPermission }
func (f *readerFile) Truncate(int64) error               { return fs.ErrPermission }
func (f *readerFile) Sync(vfs.SyncFlag) error            { return nil }
func (f *readerFile) Size() (int64, error)               { return f.size, nil }
func (f *readerFile) Lock(vfs.LockLevel) error           { return nil }
func (f *readerFile) Unlock(vfs.LockLevel) error         { return nil }
func (f *readerFile) CheckReservedLock() (bool, error)   { return false, nil }
func (f *readerFile) SectorSize() int                    { return PageBytes }
func (f *readerFile) DeviceCharacteristics() vfs.DeviceCharacteristic {
	return 0
}
