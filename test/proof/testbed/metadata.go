package testbed

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/ncruces/go-sqlite3"
)

// Receipt is the record of one erasure.
type Receipt struct {
	Number     int64
	User       string
	Generation string // as callers are told
	// Removed tells a receipt of a delete from those of replaced pictures and abandoned uploads.
	Removed bool
	// Counts tells that the erasure is on record as done.
	Counts bool
}

// Metadata is the database of a server that does not run, as its end left it.
type Metadata struct{ conn *sqlite3.Conn }

// Metadata opens the testbed's database, which must be in use by nobody. Nothing on disk changes: the log is read where it is
// and stays as it is, for the next start to find. There is none before the first start: fs.ErrNotExist.
func (s *Testbed) Metadata() (*Metadata, error) {
	path := filepath.Join(s.Data(), "avatard.db")
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if info.Size() == 0 {
		if log, err := os.Stat(path + "-wal"); err != nil || log.Size() == 0 {
			return nil, fs.ErrNotExist
		}
	}
	uri := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path)}
	conn, err := sqlite3.Open(uri.String())
	if err != nil {
		return nil, fmt.Errorf("open metadata: %w", err)
	}
	// Exclusive locking keeps the log's index in memory instead of in a file beside it.
	err = conn.Exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA query_only = ON`)
	if err == nil {
		_, err = conn.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true)
	}
	if err != nil {
		return nil, fmt.Errorf("open metadata: %w", errors.Join(err, conn.Close()))
	}
	return &Metadata{conn}, nil
}

// Close gives the database free.
func (m *Metadata) Close() error { return m.conn.Close() }

// Receipts calls each for every receipt above a number, in the order of their numbers.
func (m *Metadata) Receipts(above int64, each func(Receipt)) error {
	const query = `SELECT r.seq, u.id, r.generation, r.reason = 1, r.done = 1 OR r.seq <= (SELECT watermark FROM store)
		FROM receipt r JOIN user u ON u.uid = r.uid WHERE r.seq > ?1 ORDER BY r.seq`
	stmt, _, err := m.conn.Prepare(query)
	if err != nil {
		return fmt.Errorf("read receipts: %w", err)
	}
	defer stmt.Close()
	if err := stmt.BindInt64(1, above); err != nil {
		return err
	}
	for stmt.Step() {
		each(Receipt{Number: stmt.ColumnInt64(0), User: stmt.ColumnText(1), Generation: hex.EncodeToString(stmt.ColumnRawBlob(2)),
			Removed: stmt.ColumnBool(3), Counts: stmt.ColumnBool(4)})
	}
	return stmt.Err()
}
