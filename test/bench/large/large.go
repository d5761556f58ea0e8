// Package large makes data directories of any number of users within minutes: their metadata is written past the engine, and their pictures
// are holes in a file. Such a directory can be opened, measured and changed; its pictures cannot be read.
package large

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
)

const (
	// Organization is that of all users.
	Organization = "69629023906488334"
	issuer       = "https://issuer.example"
	// regionSlots are the pages of a region, which are its slots, too.
	regionSlots = 1024
	pageBytes   = 4096
)

// User is a user's key, 1 to the number of users.
func User(i int) storage.UserKey {
	return storage.UserKey{Issuer: issuer, ID: fmt.Sprintf("%018d", i)}
}

// Fill makes a data directory with so many users. Each has a picture of 4,000 bytes, except every sixteenth, who has
// deleted it. One upload and one erasure are left as a kill leaves them.
func Fill(ctx context.Context, dir string, users int) error {
	s, err := embedded.Open(ctx, embedded.Config{Dir: dir})
	if err != nil {
		return err
	}
	_, _, err = s.AddUser(ctx, User(0), Organization, storage.Origin{Caller: "large"})
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	regions := users/regionSlots + 1
	if err := fill(ctx, filepath.Join(dir, "avatard.db"), users, regions); err != nil {
		return err
	}
	return os.Truncate(filepath.Join(dir, "pictures.slab"), int64(1+regions*regionSlots)*pageBytes)
}

// fill writes the rows. The triggers of the schema, which would look at each row, are dropped meanwhile.
func fill(ctx context.Context, path string, users, regions int) (err error) {
	conn, err := sqlite3.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	old := conn.SetInterrupt(ctx)
	defer conn.SetInterrupt(old)
	var triggers []string
	var again strings.Builder
	stmt, _, err := conn.Prepare(`SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'`)
	if err != nil {
		return err
	}
	for stmt.Step() {
		triggers = append(triggers, stmt.ColumnText(0))
		again.WriteString(stmt.ColumnText(1) + ";\n")
	}
	if err := errors.Join(stmt.Err(), stmt.Close()); err != nil {
		return err
	}
	var sql strings.Builder
	sql.WriteString("PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; PRAGMA foreign_keys = OFF; PRAGMA cache_size = -64000; BEGIN;")
	for _, name := range triggers {
		sql.WriteString("DROP TRIGGER " + name + ";")
	}
	fmt.Fprintf(&sql, `
		INSERT INTO user (uid, iid, id, organization, created, changed, sequence, receipt)
			WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i <= %[1]d)
			SELECT i, 1, printf('%%018d', i - 1), '%[2]s', 5, 5, 2, CASE WHEN (i - 1) %% 16 = 0 THEN (i - 1) / 16 END FROM n;
		INSERT INTO receipt (seq, uid, generation, time, reason)
			SELECT (uid - 1) / 16, uid, randomblob(16), 5, 1 FROM user WHERE receipt IS NOT NULL;
		INSERT INTO generation (slot, id, uid, state, size, format, receipt)
			SELECT uid - 1, CASE WHEN receipt IS NULL THEN randomblob(16) ELSE (SELECT generation FROM receipt WHERE seq = user.receipt) END, uid,
			CASE WHEN receipt IS NULL THEN 2 ELSE 3 END, 4000, 1, receipt FROM user WHERE uid > 1;
		INSERT INTO region (first, slot_pages, slots)
			WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < %[3]d)
			SELECT 1 + %[4]d * i, 1, %[4]d FROM n;
		UPDATE store SET watermark = (SELECT max(seq) FROM receipt) - 1;
		UPDATE generation SET state = 1 WHERE slot = 1;
		%[5]s COMMIT; PRAGMA journal_mode = WAL;`, users, Organization, regions, regionSlots, again.String())
	return conn.Exec(sql.String())
}
