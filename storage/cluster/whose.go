package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster/internal/bucket"
)

// ownership is what a store last saw of whose its bucket is. A bucket may become another one while the store serves: its volume is not mounted, or
// its address leads to a second S3 server. In such a bucket every erasure would seem to be done, as nothing is listed there.
type ownership struct {
	mu    sync.Mutex
	other error     // why the bucket is not the store's; nil while it is
	own   time.Time // when the last look began that found the store's own
	noted bool      // what was erased since then is on record to be looked at again
	back  bool      // the last look found the store's own again
}

// notedReceipts bounds how many of the newest receipts are searched for those that are to be looked at again.
const notedReceipts = 100_000

// sqlNote puts what was erased within some time on record to be looked at again, as soon as the bucket is the right one.
const sqlNote = `
INSERT INTO work (gen, uid, state, reason, begun_at, due)
SELECT gen, uid, 4, reason, begun_at, clock_timestamp()
  FROM (SELECT gen, uid, reason, begun_at, erased_at FROM receipt ORDER BY n DESC LIMIT $2) r WHERE erased_at > clock_timestamp() - $1::interval
    ON CONFLICT DO NOTHING`

// isAnother returns an error that is storage.ErrUnavailable while the bucket is another one than the store's.
func (s *Store) isAnother() error {
	s.whose.mu.Lock()
	defer s.whose.mu.Unlock()
	return s.whose.other
}

// lookWhose asks the bucket whose it is. An error that is not ErrUnsuitable tells that it could not be asked, and changes nothing.
func (s *Store) lookWhose(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bucketLimit)
	defer cancel()
	began := time.Now()
	err := s.bucket.Claim(ctx, s.bucketID, false)
	w := &s.whose
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case errors.Is(err, bucket.ErrOtherInstallation):
		if w.other == nil {
			s.log.Error("the bucket has become another one; nothing is changed until it is the right one again", "error", err)
		}
		w.other, w.back = fmt.Errorf("%w: %w", storage.ErrUnavailable, notOurs(err)), false
	case err != nil:
		return away("bucket", err)
	case w.other == nil:
		w.own = began
	default:
		w.back = true
	}
	return w.other
}

// sweepOwn does what was left undone, unless the bucket is another one: there everything would seem to be done.
func (s *Store) sweepOwn(ctx context.Context) error {
	_ = s.lookWhose(ctx) // a bucket that does not answer is met with by the sweep itself
	if s.isAnother() != nil {
		err := s.noteErased(ctx)
		if another := s.isAnother(); another != nil {
			return errors.Join(another, err)
		}
	}
	return s.sweepOnce(ctx)
}

// noteErased puts on record that what may have been looked for in another bucket is to be looked for again. It does so when the bucket has become
// another one, and once more when it is the right one again, for calls that were under way: only then changes go on.
func (s *Store) noteErased(ctx context.Context) error {
	w := &s.whose
	w.mu.Lock()
	since, needed := w.own, w.other != nil && (w.back || !w.noted)
	back := w.back
	w.mu.Unlock()
	if !needed {
		return nil
	}
	batch := new(pgx.Batch)
	batch.Queue(sqlNote, time.Since(since)+eraseLimit, notedReceipts)
	if err := s.pipeline(ctx, batch); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.noted = w.other != nil; back && w.back {
		s.log.Info("the bucket is the right one again")
		w.other, w.noted, w.back, w.own = nil, false, false, time.Now()
	}
	return nil
}
