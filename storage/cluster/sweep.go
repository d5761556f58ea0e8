package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
)

const (
	sweepEvery = 5 * time.Second
	sweepBatch = 16
)

// looksAgain is when the folder of an upload that was given up is looked at again: a request to store it may arrive late. What arrives then
// nobody can read, as its key was never stored, and every change of the user erases it, too. An object of that name, put there to make
// the server refuse the request, would be no better: it would have to be listed in the folder after a delete, where nothing may be.
var looksAgain = []time.Duration{time.Minute, 10 * time.Minute, time.Hour, 24 * time.Hour}

const (
	// sqlDue takes what is due, and keeps other processes away from it for a while, which doubles with each try of an erasure. For a look
	// at a folder, tries counts those that were made.
	sqlDue = `
WITH d AS MATERIALIZED (SELECT gen FROM work WHERE due < clock_timestamp() ORDER BY due LIMIT $1 FOR UPDATE SKIP LOCKED)
UPDATE work w SET due = clock_timestamp() + $2::interval * CASE state WHEN 3 THEN 1 << least(tries, 5) ELSE 1 END,
       tries = tries + CASE state WHEN 4 THEN 0 ELSE 1 END
  FROM d, person p, issuer i
 WHERE w.gen = d.gen AND p.uid = w.uid AND i.iid = p.iid
RETURNING w.gen, w.uid, w.state, coalesce(w.version, ''), w.tries, p.id, i.folder`

	sqlLookAgain = `UPDATE work SET due = clock_timestamp() + $2::interval, tries = $3 WHERE gen = $1 AND state = 4`
	sqlForget    = `DELETE FROM work WHERE gen = $1 AND state = 4`
)

// task is something that was left undone.
type task struct {
	erasure
	uid    int64
	state  int16
	tries  int
	folder string
}

// sweep does what was left undone, by whatever process, until its context ends.
func (s *Store) sweep(ctx context.Context) {
	for sleep(ctx, sweepEvery) {
		if err := s.sweepOwn(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("work that was left undone could not be looked for", "error", err)
		}
	}
}

// sweepOnce does everything that is due, or as much as can be done: when nothing of a batch can, the rest waits for the next time.
func (s *Store) sweepOnce(ctx context.Context) error {
	for {
		tasks, err := s.due(ctx)
		if err != nil {
			return err
		}
		failed := 0
		for _, t := range tasks {
			if t.state == 3 {
				s.counters.update(func(stats *storage.Stats) { stats.Retried++ })
			}
			if err := s.do(ctx, t); err != nil && ctx.Err() == nil {
				failed++
				s.log.Error("a picture could not be erased; it is tried again", "generation", t.gen.String(), "tries", t.tries, "error", err)
			}
		}
		if len(tasks) < sweepBatch || failed == len(tasks) {
			return s.lookAtPending(ctx)
		}
	}
}

func (s *Store) due(ctx context.Context) ([]task, error) {
	rows, err := s.pool.Query(ctx, sqlDue, sweepBatch, claimLimit)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	var (
		tasks  []task
		t      task
		gen    []byte
		id     string
		folder string
	)
	_, err = pgx.ForEachRow(rows, []any{&gen, &t.uid, &t.state, &t.version, &t.tries, &id, &folder}, func() error {
		t.gen, t.folder = generationID(gen), s.folders.of(folder, id)
		tasks = append(tasks, t)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	return tasks, nil
}

func (s *Store) do(ctx context.Context, t task) error {
	ctx, cancel := context.WithTimeout(ctx, eraseLimit)
	defer cancel()
	switch t.state {
	case 1:
		return s.abandon(ctx, &person{uid: t.uid}, t.gen, t.folder)
	case 3:
		return s.erase(ctx, t.uid, t.folder, []erasure{t.erasure})
	}
	if err := s.clean(ctx, t.uid, t.folder, []generationID{t.gen}, nil); err != nil {
		return err
	}
	batch := new(pgx.Batch)
	if made := t.tries + 1; made < len(looksAgain) {
		batch.Queue(sqlLookAgain, t.gen, looksAgain[made], made)
	} else {
		batch.Queue(sqlForget, t.gen)
	}
	return s.pipeline(ctx, batch)
}
