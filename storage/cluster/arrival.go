package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster/internal/bucket"
	"example.org/avatard/storage/cluster/internal/envelope"
)

// lockTries is how often, ten times a second, the lock of a process that was killed is tried.
const lockTries = 50

// arrival fills a database and a bucket with a store that is served elsewhere. Until the end the schema says that an import is
// under way, as a restore does, so nobody else opens it. A row names its picture and the key before the object is sent, with
// an empty version: where a process was killed in between, the next one knows whose folders to look at.
type arrival struct {
	pool    *pgxpool.Pool
	lock    *pgxpool.Conn // has the advisory lock as long as it is open
	bucket  *bucket.Bucket
	keys    *envelope.Keys
	folders folderNames

	mu      sync.Mutex
	issuers map[string]issuerRow
	moves   int      // of issuers, noted in this pass
	trail   [2]int64 // the newest records of changes and of refusals that are here
}

// isArriving reports whether what has begun and not ended is a move to here.
func isArriving(ctx context.Context, conn *pgx.Conn) (is bool, err error) {
	err = conn.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, schemaName+".arrival").Scan(&is)
	return is, err
}

// Arrive implements [storage.Receiver].
func (p *Place) Arrive(ctx context.Context, store [16]byte) (storage.Arrival, error) {
	a := &arrival{issuers: map[string]issuerRow{}}
	if err := a.open(ctx, p.o, store); err != nil {
		return nil, p.wrap(errors.Join(err, a.Close()))
	}
	return a, nil
}

func (a *arrival) open(ctx context.Context, o Options, store [16]byte) (err error) {
	if a.keys, err = envelope.Load(o.KeyFile); err != nil {
		return err
	}
	if a.bucket, err = bucket.New(o.Bucket); err != nil {
		return err
	}
	if a.pool, err = connect(ctx, o); err != nil {
		return err
	}
	if a.lock, err = a.pool.Acquire(ctx); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if err := takeLock(ctx, a.lock.Conn(), importLock, "another import"); err != nil {
		return err
	}
	if err := a.begin(ctx, a.lock.Conn(), o.versions(), store); err != nil {
		return err
	}
	s := &Store{pool: a.pool, bucket: a.bucket, log: slog.New(slog.DiscardHandler), acceptUnknown: o.AcceptUnknown}
	return s.examine(ctx)
}

// takeLock takes an advisory lock for the life of a connection. It waits a little: the server may not have noticed yet that the process
// before was killed.
func takeLock(ctx context.Context, conn *pgx.Conn, lock int64, of string) error {
	for try := 0; ; try++ {
		var mine bool
		err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, lock).Scan(&mine)
		if err != nil || mine {
			return err
		}
		if try == lockTries || !sleep(ctx, 100*time.Millisecond) {
			return fmt.Errorf("%w: %s", storage.ErrInUse, of)
		}
	}
}

// begin makes an empty store that is being moved to here, or finds the one that was begun.
func (a *arrival) begin(ctx context.Context, conn *pgx.Conn, known []string, store [16]byte) error {
	st, err := state(ctx, conn)
	if err != nil {
		return err
	}
	if st.version > 0 && !st.importing {
		return storage.ErrStoreExists
	}
	if !st.importing {
		if err := a.announce(ctx, conn, store); err != nil {
			return err
		}
	}
	is, err := isArriving(ctx, conn)
	if err == nil && !is {
		err = fmt.Errorf("%w; finish it, or remove the schema %s and empty the bucket", storage.ErrHalfRestored, schemaName)
	}
	if err != nil {
		return err
	}
	var of []byte
	if err := conn.QueryRow(ctx, `SELECT store, trail, refusals FROM arrival`).Scan(&of, &a.trail[0], &a.trail[1]); err != nil {
		return err
	}
	if generationID(of) != store {
		return fmt.Errorf("%w: another store is being moved to here", storage.ErrStoreExists)
	}
	if _, err := migrate(ctx, conn, known, nil); err != nil {
		return err
	}
	return conn.QueryRow(ctx, `UPDATE installation SET id = $1 RETURNING folder_key`, generationID(store)).Scan(&a.folders.key)
}

func (a *arrival) announce(ctx context.Context, conn *pgx.Conn, store [16]byte) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, _, err := schemaVersion(ctx, tx); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `CREATE TABLE arrival (store bytea NOT NULL, trail bigint NOT NULL DEFAULT 0, refusals bigint NOT NULL DEFAULT 0)`)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO arrival (store) VALUES ($1)`, generationID(store)); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE schema_version SET importing = true`)
		return err
	})
}

// Close implements [storage.Arrival].
func (a *arrival) Close() error {
	if a.lock != nil {
		_ = a.lock.Conn().Close(context.Background()) // and with it goes the lock
		a.lock.Release()
	}
	if a.pool != nil {
		a.pool.Close()
	}
	if a.bucket != nil {
		a.bucket.Close()
	}
	return nil
}

// issuer returns the row of an issuer, which it adds where needed.
func (a *arrival) issuer(ctx context.Context, url string) (row issuerRow, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if row, ok := a.issuers[url]; ok {
		return row, nil
	}
	if _, err := a.pool.Exec(ctx, sqlAddIssuer, url); err != nil {
		return row, err
	}
	if err := a.pool.QueryRow(ctx, `SELECT iid, folder FROM issuer WHERE url = $1`, url).Scan(&row.iid, &row.folder); err != nil {
		return row, err
	}
	a.issuers[url] = row
	return row, nil
}

// Finish implements [storage.Arrival]. When the answer to it was lost, or came with a warning (see pipeline), it finds that it is done, and
// commits once more, which waits for what was committed before.
func (a *arrival) Finish(ctx context.Context) error {
	conn, err := a.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer conn.Release()
	var importing bool
	if err := conn.QueryRow(ctx, `SELECT importing FROM schema_version`).Scan(&importing); err != nil {
		return err
	}
	batch := new(pgx.Batch)
	if importing {
		queueFinish(batch)
	}
	batch.Queue(`UPDATE schema_version SET importing = false`)
	return safely(ctx, conn.Conn(), func(tx pgx.Tx) error { return tx.SendBatch(ctx, batch).Close() })
}

func queueFinish(batch *pgx.Batch) {
	batch.Queue(`SET LOCAL statement_timeout = 0`)
	batch.Queue(`UPDATE organization o SET removed = false WHERE removed AND EXISTS (SELECT FROM person p WHERE p.org = o.id AND NOT p.removed)`)
	batch.Queue(`SELECT setval('receipt_number', greatest((SELECT max(n) FROM receipt), 1), EXISTS (SELECT FROM receipt))`)
	batch.Queue(`SELECT setval(pg_get_serial_sequence('person', 'uid'), greatest((SELECT max(uid) FROM person), 1), EXISTS (SELECT FROM person))`)
	batch.Queue(`DROP TABLE arrival`)
}
