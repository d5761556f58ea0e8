package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// indexLock is the advisory lock of the process that makes indexes.
	indexLock = migrationLock + 6
	// indexPause is how far apart tries are.
	indexPause = time.Minute
)

// indexes are those that a version of the schema adds to tables of any size. In a large store they are made behind the migration, while
// everybody reads and writes. Until then what they are for takes longer, and is refused where it takes too long.
var indexes = []struct{ name, on string }{
	{"person_there", "person (id, iid) WHERE NOT removed"},
	{"person_org_there", "person (org, id) WHERE NOT removed"},
	{"person_ended", "person (uid) WHERE ended"},
	{"receipt_uid", "receipt (uid, n)"},
}

// dropFormer removes the index in whose place another one is now.
const dropFormer = `DROP INDEX CONCURRENTLY IF EXISTS person_org`

// sqlIndexes lists the indexes that are there and whole: one whose making was broken off is there, and serves nobody.
const sqlIndexes = `
SELECT c.relname FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid WHERE c.relnamespace = '` + schemaName + `'::regnamespace AND x.indisvalid`

// missingIndexes returns the statements that make what is not there.
func missingIndexes(ctx context.Context, conn *pgx.Conn) (statements []string, err error) {
	rows, err := conn.Query(ctx, sqlIndexes)
	if err != nil {
		return nil, err
	}
	there, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	for _, index := range indexes {
		if !slices.Contains(there, index.name) {
			statements = append(statements, `DROP INDEX CONCURRENTLY IF EXISTS `+index.name, `CREATE INDEX CONCURRENTLY `+index.name+` ON `+index.on)
		}
	}
	if len(statements) > 0 || slices.Contains(there, "person_org") {
		statements = append(statements, dropFormer)
	}
	return statements, nil
}

// makeIndexes makes the indexes that are missing, on a connection of its own that waits as long as that takes: for every transaction that has
// begun before. done is false while another process does.
func makeIndexes(ctx context.Context, config *pgx.ConnConfig) (done bool, err error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	statements, err := missingIndexes(ctx, conn)
	if err != nil || len(statements) == 0 {
		return err == nil, err
	}
	var mine bool
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, int64(indexLock)).Scan(&mine); err != nil || !mine {
		return false, err
	}
	if statements, err = missingIndexes(ctx, conn); err != nil { // another process may have been at it
		return false, err
	}
	for _, statement := range append([]string{`SET statement_timeout = 0`, `SET lock_timeout = 0`}, statements...) {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return false, fmt.Errorf("%s: %w", statement, err)
		}
	}
	return true, nil
}

// keepIndexes tries to make the indexes that are missing until they are there.
func (s *Store) keepIndexes(ctx context.Context) {
	for {
		done, err := makeIndexes(ctx, s.pool.Config().ConnConfig)
		switch denied := new(pgconn.PgError); {
		case done || ctx.Err() != nil:
			return
		case errors.As(err, &denied) && denied.Code == "42501":
			s.log.Warn("lists and exports may be slow: the role of the database may not make an index; run avatard migrate with the role that owns the schema", "error", err)
			return
		case err != nil:
			s.log.Warn("an index could not be made; it is tried again", "error", err)
		}
		if !sleep(ctx, indexPause) {
			return
		}
	}
}
