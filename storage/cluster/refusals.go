package cluster

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
)

const (
	// refusalQueue bounds the notes that wait, and refusalBatch those of one transaction.
	refusalQueue = 256
	refusalBatch = 64
	// refusalLimit is how long a transaction of notes may take.
	refusalLimit = 5 * time.Second
)

// refusals are notes of refused calls that wait to be recorded.
type refusals struct {
	queue   chan storage.Refusal
	dropped atomic.Int64
}

// RecordRefusal implements [storage.Store].
func (s *Store) RecordRefusal(r storage.Refusal) {
	r = r.Fit()
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed.Load() {
		return
	}
	select {
	case s.notes.queue <- r:
	default:
		s.notes.dropped.Add(min(r.Dropped, 1<<32) + 1)
	}
}

const sqlRefusal = `
INSERT INTO audit (at, action, result, caller, caller_org, org, target, request, dropped, refusal)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, true)`

// recordRefusals records notes until the queue is closed and empty.
func (s *Store) recordRefusals() {
	for r := range s.notes.queue {
		batch, n, stands := new(pgx.Batch), 0, int64(0)
		for more := true; more; {
			r.Dropped = min(r.Dropped, storage.MaxCount-1<<40) + s.notes.dropped.Swap(0)
			stands += 1 + r.Dropped
			// PostgreSQL's texts hold every character but NUL.
			batch.Queue(sqlRefusal, s.date(), withoutNUL(r.Action), withoutNUL(r.Reason), withoutNUL(r.By.Caller), withoutNUL(r.By.CallerOrganization),
				withoutNUL(r.Organization), withoutNUL(r.Target), withoutNUL(r.By.RequestID), r.Dropped)
			if n++; n == refusalBatch {
				break
			}
			select {
			case r, more = <-s.notes.queue:
			default:
				more = false
			}
		}
		ctx, cancel := context.WithTimeout(s.background, refusalLimit)
		if err := s.pipeline(ctx, batch); err != nil {
			s.notes.dropped.Add(stands) // the next note that is recorded stands for them
			s.log.Error("notes of refused calls could not be recorded", "notes", n, "error", err)
		}
		cancel()
	}
}
