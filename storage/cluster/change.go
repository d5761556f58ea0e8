package cluster

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"example.org/avatard/storage"
)

// rest is what follows the first step of a change. It goes on when the caller has left.
type rest func(ctx context.Context) (storage.Result, error)

// change runs a change of a user when all that came before are done. begin is its first step; it runs under the caller's context, and
// nothing of it is tried again once it has returned. An error of begin is the caller's answer at once, even where a rest has to
// clean up.
func (s *Store) change(ctx context.Context, user storage.UserKey, begin func() (rest, storage.Result, error)) (storage.Result, error) {
	if err := s.enter(); err != nil {
		return storage.Result{}, err
	}
	done, err := s.lines.wait(ctx, user)
	if err != nil {
		s.exit()
		return storage.Result{}, err
	}
	end := func() { done(); s.exit() }
	if err := ctx.Err(); err != nil {
		end()
		return storage.Result{}, err
	}
	rest, res, err := begin()
	if err != nil {
		err = unavailable(ctx, err)
	}
	if rest == nil {
		end()
		return res, err
	}
	type answer struct {
		res storage.Result
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		defer end()
		limited, cancel := context.WithTimeout(s.background, eraseLimit)
		defer cancel()
		res, err := rest(limited)
		answers <- answer{res, unavailable(context.Background(), err)}
	}()
	if err != nil {
		return res, err
	}
	select {
	case a := <-answers:
		return a.res, a.err
	case <-ctx.Done():
		return storage.Result{}, ctx.Err()
	}
}

// decide makes the first step of a change: it sends what step queues, which has a look at the person behind it, until settle says that it is
// decided. It is not while a change of several steps has claimed the row, whose end it waits for.
func (s *Store) decide(ctx context.Context, step func(*attempt), settle func(*person) (decided bool, err error)) (*person, error) {
	faults := 0
	for pause := time.Duration(0); ; pause = min(max(2*pause, 4*time.Millisecond), 100*time.Millisecond) {
		if pause > 0 && !sleep(ctx, pause/2+rand.N(pause)) { //nolint:gosec // it only keeps processes from asking in step
			return nil, ctx.Err()
		}
		a := s.newAttempt(ctx)
		p := a.person
		step(a)
		if err := s.pipeline(ctx, a.Batch); err != nil {
			s.outlast(a, err)
			if faults++; (faults == 3 || !mayPass(err)) && !triesAgain(ctx) || ctx.Err() != nil {
				return nil, err
			}
			continue
		}
		if p.uid != 0 {
			s.clock.saw(p.at)
		}
		if decided, err := settle(p); decided || err != nil {
			return p, err
		}
		if p.claimOver {
			if _, err := s.giveUp(ctx, p.uid, p.claim); err != nil {
				return nil, err
			}
		}
	}
}

// sleep waits, and reports whether that lasted to its end.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// mayPass reports whether a statement that failed changed nothing, and is likely to succeed when it is sent again.
func mayPass(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return pgconn.SafeToRetry(err)
	}
	switch pg.Code {
	case "0A000", // a plan from before a migration
		"40001", "40P01": // serialization failure, deadlock
		return true
	}
	return false
}

const (
	sqlGiveUp = `
WITH w AS MATERIALIZED (SELECT gen FROM work WHERE gen = $1 AND state = 1 FOR UPDATE)
UPDATE work SET state = 3, n = nextval('receipt_number'), tries = 0, due = clock_timestamp() WHERE gen = (SELECT gen FROM w)`

	sqlToErase = `SELECT EXISTS (SELECT FROM work WHERE gen = $1 AND state = 3)`
)

// giveUp ends a claim on a person's row that its process will not end. What the upload may have stored is to be erased from then on: toErase
// tells that it is. It is not where the upload was put in place meanwhile.
func (s *Store) giveUp(ctx context.Context, uid int64, claim generationID) (toErase bool, err error) {
	batch := new(pgx.Batch)
	batch.Queue(`UPDATE person SET claim = NULL, claim_due = NULL WHERE uid = $1 AND claim = $2`, uid, claim)
	batch.Queue(sqlGiveUp, claim)
	batch.Queue(sqlToErase, claim).QueryRow(func(row pgx.Row) error { return row.Scan(&toErase) })
	err = s.pipeline(ctx, batch)
	return toErase, err
}
