package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"avatard/storage"
)

// reader is a second connection, for reads that find the first one busy. It sees what is durable, see pages, and changes nothing.
type reader struct {
	mu         sync.Mutex
	db         *database // its connection and statement; nil when closed
	pages      *pages
	unregister func()
}

// openReader opens a connection to pages.
func openReader(p *pages) (*reader, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	name := nextFileLayer()
	vfs.Register(name, &readerLayer{p})
	r := &reader{pages: p, db: &database{}, unregister: func() { vfs.Unregister(name) }}
	if err := r.open(name); err != nil {
		return nil, errors.Join(fmt.Errorf("open metadata for reading: %w", err), r.close())
	}
	return r, nil
}

func (r *reader) open(layer string) (err error) {
	if r.db.conn, err = sqlite3.OpenFlags("file:/"+databaseName+"?vfs="+layer, sqlite3.OPEN_READONLY|sqlite3.OPEN_URI); err != nil {
		return err
	}
	if err := r.db.conn.Exec(`PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -2000`); err != nil {
		return err
	}
	r.db.stmts[sqlActive], _, err = r.db.conn.PrepareFlags(statements[sqlActive], sqlite3.PREPARE_PERSISTENT)
	return err
}

func (r *reader) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.db == nil {
		return nil
	}
	err := errors.Join(r.db.stmts[sqlActive].Close(), r.db.conn.Close())
	r.db = nil
	r.unregister()
	return err
}

// userRow reads a user and the active generation, and hands them to keep before the state can become another.
func (r *reader) userRow(iid int64, id string, keep func(*userRow)) (*userRow, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.db == nil {
		return nil, fmt.Errorf("%w: closed", storage.ErrUnavailable)
	}
	r.pages.mu.RLock()
	defer r.pages.mu.RUnlock()
	row, err := r.db.userRow(iid, id)
	if err == nil {
		keep(row)
	}
	return row, err
}

// readerLayer is a file layer that has one database and nothing else.
type readerLayer struct{ pages *pages }

func (l *readerLayer) Open(string, vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	return nil, 0, sqlite3.CANTOPEN
}

func (l *readerLayer) OpenFilename(_ *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	if flags&vfs.OPEN_MAIN_DB == 0 {
		return nil, flags, sqlite3.CANTOPEN
	}
	return &readerFile{pages: l.pages}, flags, nil
}

func (l *readerLayer) Delete(string, bool) error                   { return fs.ErrPermission }
func (l *readerLayer) Access(string, vfs.AccessFlag) (bool, error) { return false, nil }
func (l *readerLayer) FullPathname(name string) (string, error)    { return name, nil }

func (f *readerFile) Close() error                       { return nil }
func (f *readerFile) WriteAt([]byte, int64) (int, error) { return 0, fs.ErrPermission }
func (f *readerFile) Truncate(int64) error               { return fs.ErrPermission }
func (f *readerFile) Sync(vfs.SyncFlag) error            { return nil }
func (f *readerFile) Size() (int64, error)               { return f.size, nil }
func (f *readerFile) Lock(vfs.LockLevel) error           { return nil }
func (f *readerFile) Unlock(vfs.LockLevel) error         { return nil }
func (f *readerFile) CheckReservedLock() (bool, error)   { return false, nil }
func (f *readerFile) SectorSize() int                    { return pageBytes }
func (f *readerFile) DeviceCharacteristics() vfs.DeviceCharacteristic {
	return 0
}
