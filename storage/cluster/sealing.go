package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// sealEvery is how far apart looks for receipts are that have no place in the log.
	sealEvery = 10 * time.Second
	// sealRetry is how long the next look waits after one that failed.
	sealRetry = time.Minute
	// sealPage is how many receipts one transaction seals, beside those of erasures that took long, of which there are maxLate at most.
	sealPage = 1024
	// maxLate bounds how many erasures that are not done the mark goes past.
	maxLate = 1000
)

const (
	// sqlToSeal tells whether there is anything behind the mark, or of erasures that took long, and whether any of it has no place.
	sqlToSeal = `
SELECT EXISTS (SELECT FROM receipt WHERE n > h.mark) OR EXISTS (SELECT FROM receipt WHERE n = ANY(h.late)),
       EXISTS (SELECT FROM receipt r WHERE r.n > h.mark AND (SELECT place FROM receipt_log l WHERE l.receipt = r.n) IS NULL)
         OR EXISTS (SELECT FROM receipt r WHERE r.n = ANY(h.late) AND (SELECT place FROM receipt_log l WHERE l.receipt = r.n) IS NULL)
  FROM receipt_head h`

	// sqlNewest is the newest receipt, and sqlNumbered are the transactions behind that look which may have a lower number: an intent has a lock of
	// the table from before it gets one.
	sqlNewest   = `SELECT coalesce((SELECT n FROM receipt ORDER BY n DESC LIMIT 1), 0)`
	sqlNumbered = sqlWriters + `'work'::regclass`
)

// settling is what a process knows of numbers that may still come.
type settling struct {
	turn    chan struct{} // holds one: the caller of this process who seals
	settled int64         // a receipt up to here is on record, or its erasure is, or it never comes
	next    int64         // so is one up to here, once these have ended
	writers []string
}

// saw takes what sqlNewest and then sqlNumbered have answered.
func (l *settling) saw(newest int64, numbered []string) {
	l.writers = slices.DeleteFunc(l.writers, func(w string) bool { return !slices.Contains(numbered, w) })
	if len(l.writers) > 0 {
		return
	}
	l.settled, l.next, l.writers = l.next, newest, numbered
	if len(numbered) == 0 {
		l.settled = newest
	}
}

// keepSealing seals receipts until its context ends.
func (s *Store) keepSealing(ctx context.Context) {
	for pause := sealEvery; sleep(ctx, pause); {
		pause = sealEvery
		if err := s.sealInBackground(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("receipts could not be sealed; it is tried again", "error", err)
			pause = sealRetry
		}
	}
}

// toSeal reports whether there may be anything to do, and whether a receipt has no place.
func (s *Store) toSeal(ctx context.Context) (something, unsealed bool, err error) {
	err = s.pool.QueryRow(ctx, sqlToSeal).Scan(&something, &unsealed)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		err = errNoHead
	case err != nil:
		err = fmt.Errorf("database: %w", err)
	}
	return something, unsealed, err
}

// sealInBackground leaves receipts alone while another process seals. Where there is nothing it costs one statement.
func (s *Store) sealInBackground(ctx context.Context) error {
	something, _, err := s.toSeal(ctx)
	if err != nil || !something {
		return err
	}
	return s.sealAll(ctx, sealing{skip: true})
}

// sealNow seals all receipts that are on record.
func (s *Store) sealNow(ctx context.Context) error {
	_, unsealed, err := s.toSeal(ctx)
	if err != nil || !unsealed {
		return err
	}
	return s.sealAll(ctx, sealing{})
}

// sealAll seals receipts, transaction by transaction, until the first that finds no full page.
func (s *Store) sealAll(ctx context.Context, step sealing) error {
	l := &s.sealing
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for more := true; more; {
		err := s.settle(ctx)
		if err != nil {
			return err
		}
		step.settled = l.settled
		if more, err = s.sealSome(ctx, &step); err != nil {
			return err
		}
	}
	return nil
}

// settle looks which numbers have settled.
func (s *Store) settle(ctx context.Context) error {
	var newest int64
	var numbered []string
	batch := new(pgx.Batch)
	batch.Queue(sqlNewest).QueryRow(func(row pgx.Row) error { return row.Scan(&newest) })
	batch.Queue(sqlNumbered).QueryRow(func(row pgx.Row) error { return row.Scan(&numbered) })
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	s.sealing.saw(newest, numbered)
	return nil
}

// sealSome makes one transaction: places, hashes and the signed head are durable together.
func (s *Store) sealSome(ctx context.Context, step *sealing) (more bool, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return false, fmt.Errorf("database: %w", err)
	}
	defer conn.Release()
	step.keys = s.keys
	err = safely(ctx, conn.Conn(), func(tx pgx.Tx) error {
		more, err = step.run(ctx, tx)
		return err
	})
	return more, err
}
