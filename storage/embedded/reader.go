package embedded

import (
	"errors"
	"fmt"
	"sync"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/sqlitefs"
)

// reader is a second connection, for reads that find the first one busy. It sees the durable state, see sqlitefs.Pages, and changes nothing.
type reader struct {
	mu         sync.Mutex
	db         *database // its connection and statement; nil when closed
	pages      *sqlitefs.Pages
	unregister func()
}

// openReader opens a connection to pages.
func openReader(p *sqlitefs.Pages) (*reader, error) {
	p.RLock()
	defer p.RUnlock()
	name, unregister := sqlitefs.RegisterReader(p)
	r := &reader{pages: p, db: &database{}, unregister: unregister}
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

// userRow reads a user and the active generation, and passes them to keep before the state can change.
func (r *reader) userRow(iid int64, id string, keep func(*userRow)) (*userRow, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.db == nil {
		return nil, fmt.Errorf("%w: closed", storage.ErrUnavailable)
	}
	r.pages.RLock()
	defer r.pages.RUnlock()
	row, err := r.db.userRow(iid, id)
	if err == nil {
		keep(row)
	}
	return row, err
}
