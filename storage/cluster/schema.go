package cluster

import (
	"context"
	cryptorand "crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"example.org/avatard/storage"
)

// migrationLock is the advisory lock under which one process at a time looks at the schema and changes it.
const migrationLock = 0x61766174617264 // "avatard"

// schemaName is the PostgreSQL schema that all tables are in, so that they meet no others in the database.
const schemaName = "avatard"

//go:embed schema/0001.sql
var firstSchema string

//go:embed schema/0002.sql
var endsSchema string

// migrations bring the schema from one version to the next. Each runs in a transaction of its own. A release only adds: what the
// release before does not know, it does not miss. What is not used any more goes one release later.
var migrations = []string{firstSchema, endsSchema}

// oldestProgram is the newest version that a program has to know, at least, to work with the newest schema here. It is on record, so that a
// program which knows no newer one goes on beside this one, or refuses.
const oldestProgram = 1

const (
	// migrationLockTimeout is how long a migration waits for a table that somebody uses: everybody else who wants that table waits behind it. It is
	// shorter than the time after which PostgreSQL looks for a deadlock, and callers bear it.
	migrationLockTimeout = "500ms"
	// A migration that did not get its tables leaves them alone for a while before it asks again, so many times.
	migrationPause = 2 * time.Second
	migrationTries = 60
)

// errTablesInUse: a backup that reads for long, or a transaction that was forgotten.
var errTablesInUse = errors.New("somebody's transaction has used a table all the time that the schema has to change")

// migrate brings the schema to the newest version that a program knows, one transaction a version, and calls step for each that
// is durable. Of several processes one does it, and the others find it done. It returns the version that it found.
func migrate(ctx context.Context, conn *pgx.Conn, known []string, step func(version int)) (from int, err error) {
	tries := 0
	for first := true; ; {
		found, done, err := migrateOnce(ctx, conn, known)
		if inUse(err) {
			if tries++; tries == migrationTries {
				return from, fmt.Errorf("bringing the schema forward: %w: %w", errTablesInUse, err)
			}
			if sleep(ctx, migrationPause/2+rand.N(migrationPause)) { //nolint:gosec // it only keeps processes from asking in step
				continue
			}
		}
		if err != nil {
			return from, fmt.Errorf("bringing the schema forward: %w", err)
		}
		if first {
			from, first = found, false
		}
		if done {
			return from, nil
		}
		if step != nil {
			step(found + 1)
		}
	}
}

// inUse reports whether a lock was not to be had in time.
func inUse(err error) bool {
	pg := new(pgconn.PgError)
	return errors.As(err, &pg) && pg.Code == "55P03"
}

// lockPatiently takes an advisory lock until the transaction ends, however long another process has it. The statements behind it may take
// as long, but locks of tables do not keep others waiting for long.
func lockPatiently(ctx context.Context, tx pgx.Tx, lock int64) error {
	if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0`, pgx.QueryExecModeSimpleProtocol); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, lock); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '`+settings["lock_timeout"]+`'`)
	return err
}

func migrateOnce(ctx context.Context, conn *pgx.Conn, known []string) (found int, done bool, err error) {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return 0, false, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after a commit it does nothing
	if err = lockPatiently(ctx, tx, migrationLock); err != nil {
		return 0, false, err
	}
	found, oldest, err := schemaVersion(ctx, tx)
	if err != nil {
		return 0, false, err
	}
	if found >= len(known) {
		return found, true, serves(found, oldest, known)
	}
	if _, err = tx.Exec(ctx, `SET LOCAL lock_timeout = '`+migrationLockTimeout+`'`); err != nil {
		return found, false, err
	}
	if _, err = tx.Exec(ctx, known[found], pgx.QueryExecModeSimpleProtocol); err != nil {
		return found, false, fmt.Errorf("version %d: %w", found+1, err)
	}
	if found == 0 {
		if err = firstRows(ctx, tx); err != nil {
			return found, false, err
		}
	}
	if _, err = tx.Exec(ctx, `UPDATE schema_version SET version = $1, oldest_program = $2`, found+1, oldestProgram); err != nil {
		return found, false, err
	}
	return found, false, tx.Commit(ctx)
}

// schemaVersion returns the version of the schema, and the newest version that a program has to know, at least, to work with it. Where
// there is nothing yet it makes the table that says so; else it needs no right to make anything.
func schemaVersion(ctx context.Context, tx pgx.Tx) (version, oldest int, err error) {
	there, err := schemaThere(ctx, tx)
	if err != nil {
		return 0, 0, err
	}
	if !there {
		_, err = tx.Exec(ctx, `
			CREATE SCHEMA IF NOT EXISTS `+schemaName+`;
			CREATE TABLE `+schemaName+`.schema_version (one boolean PRIMARY KEY DEFAULT true CHECK (one), version integer NOT NULL,
				oldest_program integer NOT NULL, importing boolean NOT NULL DEFAULT false);
			INSERT INTO `+schemaName+`.schema_version (version, oldest_program) VALUES (0, 0)`, pgx.QueryExecModeSimpleProtocol)
		return 0, 0, err
	}
	err = tx.QueryRow(ctx, `SELECT version, oldest_program FROM schema_version`).Scan(&version, &oldest)
	return version, oldest, err
}

// schemaThere reports whether there is a schema of ours. It reads the catalogue: to_regclass answers from the caches of the session, which may
// hold, until its transaction ends, that there is none.
func schemaThere(ctx context.Context, tx pgx.Tx) (there bool, err error) {
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = 'schema_version')`, schemaName).Scan(&there)
	return there, err
}

// serves returns nil when a program can work with a schema that has all the versions it knows: with a newer one, if that says so.
func serves(version, oldest int, known []string) error {
	if oldest > len(known) {
		return fmt.Errorf("%w: it has version %d, for programs that know version %d; this one knows %d", storage.ErrNewerSchema, version, oldest, len(known))
	}
	return nil
}

// versions are those of the schema that the program knows.
func (o Options) versions() []string {
	if o.migrations != nil {
		return o.migrations
	}
	return migrations
}

func firstRows(ctx context.Context, tx pgx.Tx) error {
	folderKey := make([]byte, 32)
	_, _ = cryptorand.Read(folderKey)
	_, err := tx.Exec(ctx, `INSERT INTO installation (id, bucket_id, folder_key) VALUES ($1, $2, $3)`, newGeneration(), newGeneration(), folderKey)
	return err
}
