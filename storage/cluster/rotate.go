package cluster

import (
	"bytes"
	"context"
	"errors"
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
	r := rotation{newest: string(s.keys.NewestPrefix())}
	for sleep(ctx, rotateEvery) {
		if err := s.rotateOnce(ctx, &r); err != nil && ctx.Err() == nil {
			s.log.Error("the keys of pictures could not be renewed; it is tried again", "error", err)
		}
	}
}

// rotation is what a process knows of the rotation of keys, each named by what it is recognized by in what it wraps.
type rotation struct {
	newest string // of the file when it was looked at last
	done   string // no picture's key is wrapped by an older one than this
}

// rotateOnce looks at the file of keys, and renews what an older key wraps until a walk through all people has come to its end once; from then
// on it costs nothing. Every process makes that walk for itself, also after a start: it is the one that knows when it has last wrapped
// something by an older key. The walk begins when the newest key is one for a while, longer than an upload is under way that was
// encrypted before.
func (s *Store) rotateOnce(ctx context.Context, r *rotation) error {
	_, err := s.keys.Reload() // what cannot be read leaves the keys as they are
	newest := string(s.keys.NewestPrefix())
	if newest != r.newest {
		r.newest = newest
		return err
	}
	if newest == r.done {
		return err
	}
	finished, walked := s.rewrapAll(ctx)
	if finished {
		r.done = newest
	}
	return errors.Join(err, walked)
}

// rewrapAll wraps the keys of all pictures, and that of the log of receipts, by the newest key, page by page. It does nothing while another process does it, and is not
// finished then.
func (s *Store) rewrapAll(ctx context.Context) (finished bool, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return false, fmt.Errorf("database: %w", err)
	}
	defer conn.Release()
	var mine bool
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, int64(rotateLock)).Scan(&mine); err != nil || !mine {
		return false, err
	}
	defer func() { // a connection that cannot give it back is of no use to others
		if _, err := conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, int64(rotateLock)); err != nil {
			_ = conn.Conn().Close(context.WithoutCancel(ctx))
		}
	}()
	w := rewrapping{s: s, conn: conn.Conn(), newest: s.keys.NewestPrefix()}
	for more := true; more; {
		if more, err = w.page(ctx); err != nil {
			return false, fmt.Errorf("database: %w", err)
		}
	}
	if err := w.logKey(ctx); err != nil {
		return false, fmt.Errorf("database: %w", err)
	}
	if w.broken > 0 { // a check finds them, and says whose they are
		s.log.Error("keys of pictures cannot be unwrapped; avatard fsck names them", "pictures", w.broken)
	}
	if w.renewed > 0 {
		s.log.Info("the keys of pictures are wrapped by the newest key", "renewed", w.renewed)
	}
	return true, nil
}

// rewrapping is one walk.
type rewrapping struct {
	s               *Store
	conn            *pgx.Conn
	newest          []byte
	at              int64 // the person that it has come to
	renewed, broken int
}

// sqlRewrap looks at some people behind one and returns the last of them, and, a row each, the pictures whose key begins with something else.
const sqlRewrap = `
WITH w AS MATERIALIZED (SELECT uid, gen, key FROM person WHERE uid > $1 ORDER BY uid LIMIT $2)
SELECT l.uid, w.uid, w.gen, w.key FROM (SELECT max(uid) AS uid FROM w) l
  LEFT JOIN w ON w.gen IS NOT NULL AND substr(w.key, 1, length($3::bytea)) <> $3`

// page renews the keys of the next people; more tells whether there may be others behind them.
func (w *rewrapping) page(ctx context.Context) (more bool, err error) {
	rows, err := w.conn.Query(ctx, sqlRewrap, w.at, rotatePage, w.newest)
	if err != nil {
		return false, err
	}
	batch := new(pgx.Batch)
	var last, uid *int64
	var gen, key []byte
	_, err = pgx.ForEachRow(rows, []any{&last, &uid, &gen, &key}, func() error {
		if uid == nil {
			return nil
		}
		newer, changed, err := w.s.keys.Rewrap(gen, key)
		if err != nil {
			w.broken++
		}
		if changed {
			batch.Queue(`UPDATE person SET key = $3 WHERE uid = $1 AND gen = $2 AND key = $4`, *uid, bytes.Clone(gen), newer, bytes.Clone(key))
		}
		return nil
	})
	if err == nil && batch.Len() > 0 {
		err = w.conn.SendBatch(ctx, batch).Close()
	}
	if err != nil || last == nil {
		return false, err
	}
	w.at, w.renewed = *last, w.renewed+batch.Len()
	return true, nil
}

// logKey renews what the private key of the log of receipts is wrapped by.
func (w *rewrapping) logKey(ctx context.Context) error {
	var key string
	var secret []byte
	err := w.conn.QueryRow(ctx, `SELECT key, secret FROM receipt_head WHERE key IS NOT NULL`).Scan(&key, &secret)
	if err != nil {
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	}
	newer, changed, err := w.s.keys.Rewrap(purposeOf(key), secret)
	if err != nil { // what is sealed next fails, and says so
		w.s.log.Error("the key of the log of receipts cannot be unwrapped", "error", err)
		return nil
	}
	if changed {
		_, err = w.conn.Exec(ctx, `UPDATE receipt_head SET secret = $2 WHERE secret = $1`, secret, newer)
	}
	return err
}
