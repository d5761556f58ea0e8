package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster/internal/bucket"
	"example.org/avatard/storage/cluster/internal/envelope"
)

// importLock is the advisory lock of the process that imports.
const importLock = migrationLock + 2

// vacant returns nil where nothing is in the way of an import: no store, or one that an import has begun.
func vacant(ctx context.Context, conn *pgx.Conn) error {
	st, err := state(ctx, conn)
	if err == nil && st.version > 0 && !st.importing {
		err = storage.ErrStoreExists
	}
	if err == nil && st.importing {
		var arriving bool
		if arriving, err = isArriving(ctx, conn); arriving {
			err = fmt.Errorf("%w: a move to here was not finished", storage.ErrStoreExists)
		}
	}
	return err
}

// Import implements [storage.Place]. The schema says from the first moment that an import is under way, and until it does not, nothing can
// be opened.
func (p *Place) Import(ctx context.Context, o storage.ImportOptions) (sum storage.ImportSummary, err error) {
	if err := o.Arrange(); err != nil {
		return sum, err
	}
	err = p.connected(ctx, func(conn *pgx.Conn) error {
		var mine bool
		if _, err := conn.Exec(ctx, `SET statement_timeout = 0`); err != nil { // some of them look at everybody
			return err
		}
		err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, int64(importLock)).Scan(&mine)
		switch {
		case err != nil:
			return err
		case !mine:
			return fmt.Errorf("%w: another import", storage.ErrInUse)
		}
		if err := vacant(ctx, conn); err != nil {
			return err
		}
		i := &importing{conn: conn, o: o}
		if err = i.begin(ctx, p.o); err == nil {
			err = i.run(ctx)
		}
		if err != nil {
			return errors.Join(err, i.takeBack(context.WithoutCancel(ctx)))
		}
		sum = i.sum
		return nil
	})
	return sum, p.wrap(err)
}

// begin makes an empty store, in place of what an import has left that was killed. Its bucket stays the same.
func (i *importing) begin(ctx context.Context, o Options) (err error) {
	if i.keys, err = envelope.Load(o.KeyFile); err != nil {
		return err
	}
	if i.bucket, err = bucket.New(o.Bucket); err != nil {
		return err
	}
	bucketID := newGeneration()
	if st, err := state(ctx, i.conn); err != nil {
		return err
	} else if st.importing {
		i.begun = true
		var before []byte
		if err := i.conn.QueryRow(ctx, `SELECT bucket_id FROM installation`).Scan(&before); err == nil {
			bucketID = generationID(before)
		}
	}
	if err := i.announce(ctx); err != nil {
		return err
	}
	i.begun = true
	if _, err := migrate(ctx, i.conn, o.versions(), nil); err != nil {
		return err
	}
	if _, err := i.conn.Exec(ctx, `UPDATE installation SET id = $1, bucket_id = $2`, generationID(i.o.Export.Store().ID), bucketID); err != nil {
		return err
	}
	if err := i.conn.QueryRow(ctx, `SELECT folder_key FROM installation`).Scan(&i.folders.key); err != nil {
		return err
	}
	if err := i.examine(ctx, o); err != nil {
		return err
	}
	if err := i.eraseObjects(ctx); err != nil { // of an import that was killed
		return err
	}
	_, err = i.conn.Exec(ctx, `
		CREATE UNLOGGED TABLE import_user (theirs bigint PRIMARY KEY, ours bigint NOT NULL);
		CREATE UNLOGGED TABLE import_picture (uid bigint PRIMARY KEY, gen bytea)`, pgx.QueryExecModeSimpleProtocol)
	return err
}

// announce replaces the schema by one that says that an import is under way.
func (i *importing) announce(ctx context.Context) error {
	tx, err := i.conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after a commit it does nothing
	if i.begun {
		if _, err := tx.Exec(ctx, `DROP SCHEMA `+schemaName+` CASCADE`); err != nil {
			return err
		}
	}
	if _, _, err := schemaVersion(ctx, tx); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE schema_version SET importing = true`); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// examine sees that database and bucket are suitable, and claims the bucket.
func (i *importing) examine(ctx context.Context, o Options) error {
	pool, err := connect(ctx, o)
	if err != nil {
		return err
	}
	defer pool.Close()
	s := &Store{pool: pool, bucket: i.bucket, log: slog.New(slog.DiscardHandler), acceptUnknown: o.AcceptUnknown}
	if err := s.examine(ctx); err != nil {
		return err
	}
	i.claimed = true
	return nil
}

// eraseObjects erases the pictures of a bucket that is ours, while there is no store that has any.
func (i *importing) eraseObjects(ctx context.Context) error {
	return i.bucket.All(ctx, func(v bucket.Version) error {
		if !isObject(v.Name) {
			return nil
		}
		return i.bucket.Delete(ctx, v.Name, v.ID)
	})
}

// takeBack undoes what an import that failed has done.
func (i *importing) takeBack(ctx context.Context) error {
	if i.claimed {
		if err := errors.Join(i.eraseObjects(ctx), i.bucket.Release(ctx)); err != nil {
			return fmt.Errorf("what was imported could not be taken back, which the next import does: %w", err)
		}
	}
	if !i.begun {
		return nil
	}
	_, err := i.conn.Exec(ctx, `DROP SCHEMA `+schemaName+` CASCADE`)
	return err
}
