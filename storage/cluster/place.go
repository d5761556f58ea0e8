package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
)

// Place is where a store is kept: a database and a bucket.
type Place struct{ o Options }

// At returns a place. It opens nothing.
func At(o Options) *Place { return &Place{o} }

// Open implements [storage.Place].
func (p *Place) Open(ctx context.Context, o storage.OpenOptions) (storage.Engine, error) {
	s, err := Open(ctx, p.o, o)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// schemaState is what is on record of a schema; the zero value that there is none.
type schemaState struct {
	version   int
	oldest    int  // the version that a program has to know, at least, to work with it
	importing bool // an import has begun and not ended
}

func state(ctx context.Context, conn *pgx.Conn) (st schemaState, err error) {
	err = conn.QueryRow(ctx, `SELECT version, oldest_program, importing FROM schema_version`).Scan(&st.version, &st.oldest, &st.importing)
	if missing(err) || errors.Is(err, pgx.ErrNoRows) {
		return schemaState{}, maySee(ctx, conn)
	}
	return st, err
}

// opened returns the version of the schema, 0 where there is none, and an error when it is not one to be opened: while an import is under
// way, when it is too new for this program, and, unless it may be brought forward, when it is of an earlier version.
func opened(ctx context.Context, conn *pgx.Conn, known []string, asIs bool) (version int, err error) {
	st, err := state(ctx, conn)
	switch {
	case err != nil:
	case st.importing:
		err = fmt.Errorf("%w, or a move to here was not: run it again", storage.ErrHalfRestored)
	case asIs && st.version > 0 && st.version < len(known):
		err = fmt.Errorf("the schema has version %d, this program works with version %d: bring it forward with \"avatard migrate\"", st.version, len(known))
	default:
		err = serves(st.version, st.oldest, known)
	}
	return st.version, err
}

// version returns the version of the schema; storage.ErrNoStore where there is none.
func (p *Place) version(ctx context.Context) (version int, err error) {
	err = p.connected(ctx, func(conn *pgx.Conn) (err error) {
		version, err = opened(ctx, conn, p.o.versions(), false)
		return err
	})
	if err == nil && version == 0 {
		err = storage.ErrNoStore
	}
	return version, err
}

// connected runs f with a connection of its own.
func (p *Place) connected(ctx context.Context, f func(*pgx.Conn) error) error {
	pool, err := connect(ctx, p.o)
	if err != nil {
		return err
	}
	defer pool.Close()
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer conn.Release()
	return f(conn.Conn())
}

// Exists implements [storage.Place].
func (p *Place) Exists(ctx context.Context) error {
	_, err := p.version(ctx)
	return p.wrap(err)
}

// Vacant implements [storage.Place].
func (p *Place) Vacant(ctx context.Context) error {
	return p.wrap(p.connected(ctx, func(conn *pgx.Conn) error { return vacant(ctx, conn) }))
}

// Schema implements [storage.Place].
func (p *Place) Schema(ctx context.Context) (version, newest int, err error) {
	version, err = p.version(ctx)
	return version, len(p.o.versions()), p.wrap(err)
}

// Migrate implements [storage.Place].
func (p *Place) Migrate(ctx context.Context, step func(version int)) (from int, err error) {
	if err := p.Exists(ctx); err != nil {
		return 0, err
	}
	err = p.connected(ctx, func(conn *pgx.Conn) error {
		if from, err = migrate(ctx, conn, p.o.versions(), step); err != nil {
			return err
		}
		_, err = makeIndexes(ctx, conn.Config())
		return err
	})
	return from, p.wrap(err)
}

// Inspect implements [storage.Place]. Any number of processes may have the store open.
func (p *Place) Inspect(ctx context.Context, o storage.CheckOptions, found func(storage.Finding) error) (sum storage.CheckSummary, err error) {
	if err := p.Exists(ctx); err != nil {
		return sum, err
	}
	begin := func(s *Store) error { return s.beginToLook(ctx) }
	if o.Repair {
		begin = func(s *Store) error { return s.begin(ctx, true) }
	}
	s, err := open(ctx, p.o, storage.OpenOptions{}, begin)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.Check(ctx, o, found)
}

// beginToLook opens a store whose schema is the one that this program works with, and whose bucket is the right one. It makes nothing, stores
// nothing and starts nothing.
func (s *Store) beginToLook(ctx context.Context) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if _, err := opened(ctx, conn.Conn(), s.known, true); err != nil {
		return err
	}
	if err := s.readInstallation(ctx, conn.Conn()); err != nil {
		return err
	}
	return s.isOurs(ctx, conn.Conn())
}

// ControlDir implements [storage.Place]: there is none, as commands open the store themselves.
func (p *Place) ControlDir() string { return "" }

// String names the database and the bucket, without secrets.
func (p *Place) String() string {
	c, err := pgx.ParseConfig(p.o.Database)
	if err != nil {
		return "bucket " + p.o.Bucket.Bucket
	}
	return fmt.Sprintf("database %s on %s, bucket %s", c.Database, c.Host, p.o.Bucket.Bucket)
}

func (p *Place) wrap(err error) error {
	if err != nil {
		err = fmt.Errorf("%s: %w", p, err)
	}
	return err
}

// Scratch implements [storage.Place].
func (p *Place) Scratch() (storage.ScratchFile, error) {
	f, err := os.CreateTemp("", "avatard-import-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
