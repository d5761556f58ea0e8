package cluster

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// rotateEvery is how often the file of keys is looked at.
	rotateEvery = time.Minute
	// rotateLock is the advisory lock of the process that wraps keys anew.
	rotateLock = migrationLock + 3
	rotatePage = 500
)

// rotate keeps to the file of keys until its context ends: what it holds is used as soon as it has changed, and then every picture's key is
// wrapped by the newest one, so that the others can be removed from the file.
func (s *Store) rotate(ctx context.Context) {
	for sleep(ctx, rotateEvery) {
		changed, err := s.keys.Reload()
		if err == nil && changed {
			err = s.rewrapAll(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.log.Error("the keys of pictures could not be renewed", "error", err)
		}
	}
}

// rewrapAll wraps the keys of all pictures by the newest key, page by page. It does nothing while another process does it.
func (s *Store) rewrapAll(ctx context.Context) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer conn.Release()
	var mine bool
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, int64(rotateLock)).Scan(&mine); err != nil || !mine {
		return err
	}
	defer func() { // a connection that cannot give it back is of no use to others
		if _, err := conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, int64(rotateLock)); err != nil {
			_ = conn.Conn().Close(context.WithoutCancel(ctx))
		}
	}()
	renewed, last := 0, int64(0)
	for {
		n, end, err := s.rewrapPage(ctx, conn.Conn(), last)
		if renewed += n; err != nil {
			return err
		}
		if end == last {
			break
		}
		last = end
	}
	s.log.Info("the keys of pictures are wrapped by the newest key", "renewed", renewed)
	return nil
}

// rewrapPage does it for the people behind one, and returns the last of them.
func (s *Store) rewrapPage(ctx context.Context, conn *pgx.Conn, after int64) (renewed int, last int64, err error) {
	rows, err := conn.Query(ctx, `SELECT uid, gen, key FROM person WHERE uid > $1 ORDER BY uid LIMIT $2`, after, rotatePage)
	if err != nil {
		return 0, after, fmt.Errorf("database: %w", err)
	}
	last = after
	batch := new(pgx.Batch)
	var gen, key []byte
	_, err = pgx.ForEachRow(rows, []any{&last, &gen, &key}, func() error {
		if gen == nil {
			return nil
		}
		newer, changed, err := s.keys.Rewrap(gen, key)
		if err != nil { // a check finds it, and says whose it is
			s.log.Error("the key of a picture cannot be unwrapped", "generation", generationID(gen).String(), "error", err)
		}
		if changed {
			batch.Queue(`UPDATE person SET key = $3 WHERE uid = $1 AND gen = $2 AND key = $4`, last, bytes.Clone(gen), newer, bytes.Clone(key))
		}
		return nil
	})
	if err == nil && batch.Len() > 0 {
		err = conn.SendBatch(ctx, batch).Close()
	}
	if err != nil {
		return 0, after, fmt.Errorf("database: %w", err)
	}
	return batch.Len(), last, nil
}
