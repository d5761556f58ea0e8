package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
)

// commitBounds are the upper ends of the buckets of commits, in seconds.
var commitBounds = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5}

// counters are what the store has done, and what it last saw of what is to be done.
type counters struct {
	mu    sync.Mutex
	stats storage.Stats
}

func newCounters() *counters {
	return &counters{stats: storage.Stats{CommitSeconds: storage.NewDistribution(commitBounds...)}}
}

func (c *counters) update(f func(*storage.Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.stats)
}

// committed counts a transaction that changed something, or failed to.
func (c *counters) committed(took time.Duration, err error) {
	c.update(func(s *storage.Stats) {
		if s.CommitSeconds.Observe(took.Seconds()); err != nil {
			s.CommitFailures++
		}
	})
}

// Stats implements [storage.Keeper]. What is to be done is that of all processes, as the sweeper saw it last, a few seconds ago at most.
func (s *Store) Stats() storage.Stats {
	s.counters.mu.Lock()
	defer s.counters.mu.Unlock()
	stats := s.counters.stats
	stats.CommitSeconds = stats.CommitSeconds.Clone()
	return stats
}

// sqlPending looks at the erasures that are to be done. Those that nobody has tried yet are under way. The condition on due holds of all: with
// it the rows are found by an index, which is soon rid of those that are done, where the table has them until it is cleaned.
const sqlPending = `
SELECT count(*), count(*) FILTER (WHERE tries > 0), coalesce(greatest(extract(epoch FROM clock_timestamp() - min(begun_at)), 0), 0)::float8
  FROM work WHERE state = 3 AND due > '-infinity'`

// lookAtPending brings what is to be done into the statistics.
func (s *Store) lookAtPending(ctx context.Context) error {
	var pending, stuck int
	var oldest float64
	if err := s.pool.QueryRow(ctx, sqlPending).Scan(&pending, &stuck, &oldest); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	s.counters.update(func(stats *storage.Stats) {
		stats.Pending, stats.Stuck = pending, stuck
		stats.OldestPending = time.Duration(oldest * float64(time.Second))
	})
	return nil
}

// ErasuresDone implements [storage.Keeper].
func (s *Store) ErasuresDone(ctx context.Context) error {
	if s.closed.Load() {
		return errClosed
	}
	if err := s.lookAtPending(ctx); err != nil {
		return unavailable(ctx, err)
	}
	if stuck := s.Stats().Stuck; stuck > 0 {
		return fmt.Errorf("%w: %d erasures cannot be finished", storage.ErrUnavailable, stuck)
	}
	return nil
}

// RoomForUploads implements [storage.Keeper]. How much room there is, neither the database nor the bucket tells.
func (s *Store) RoomForUploads(context.Context) error { return nil }

// keepLimit is how long questions without a context may take.
const keepLimit = 5 * time.Second

// Issuers implements [storage.Keeper].
func (s *Store) Issuers() ([]string, error) {
	if s.closed.Load() {
		return nil, errClosed
	}
	ctx, cancel := context.WithTimeout(s.background, keepLimit)
	defer cancel()
	rows, err := s.pool.Query(ctx, `SELECT url FROM issuer i WHERE EXISTS (SELECT FROM person p WHERE p.iid = i.iid AND NOT p.removed) ORDER BY url`)
	if err != nil {
		return nil, unavailable(context.Background(), err) // the limit is not the caller's
	}
	issuers, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return issuers, unavailable(context.Background(), err)
}

// OtherIssuers implements [storage.Keeper]; nothing when the database cannot be asked.
func (s *Store) OtherIssuers(issuer string) []string {
	issuers, err := s.Issuers()
	if err != nil || slices.Contains(issuers, issuer) {
		return nil
	}
	return issuers
}
