package cluster

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster/internal/bucket"
)

// tripCounter counts round trips to the database, and the statements in them.
type tripCounter struct{ trips, statements atomic.Int64 }

func (c *tripCounter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.trips.Add(1)
	c.statements.Add(1)
	return ctx
}

func (c *tripCounter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (c *tripCounter) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	c.trips.Add(1)
	return ctx
}

func (c *tripCounter) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {
	c.statements.Add(1)
}

func (c *tripCounter) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// cost is what a call takes.
type cost struct {
	trips, statements int64
	requests          bucket.Counts
	rows              int64 // that were written: inserted, updated and deleted
}

// What each call costs, to the request.
func TestCosts(t *testing.T) {
	for name, versioned := range map[string]bool{"versions": true, "no versions": false} {
		t.Run(name, func(t *testing.T) {
			counter := new(tripCounter)
			o := options(t, versioned)
			o.tracer, o.Connections = counter, 1
			s := openStore(t, o)
			s.sweeping() // what the sweeper asks would be counted, too
			u := addUser(t, s, "u")
			put := func() {
				if _, err := s.Put(t.Context(), uploadOf(u, 4000)); err != nil {
					t.Fatal(err)
				}
			}
			remove := func() {
				if _, err := s.Remove(t.Context(), storage.Removal{User: u, Organization: acme, By: by}); err != nil {
					t.Fatal(err)
				}
			}
			get := func() {
				if _, err := s.Get(t.Context(), u, acme); err != nil {
					t.Fatal(err)
				}
			}
			stat := func() {
				if _, err := s.Stat(t.Context(), u, acme); err != nil {
					t.Fatal(err)
				}
			}
			erase := func() { eraseUser(t, s, u) }
			for range 2 { // the first time prepares the statements
				erase()
				erase()
				addUser(t, s, "u")
				put()
				get()
				stat()
				put()
				remove()
				remove()
			}
			for _, c := range []struct {
				name string
				call func()
				want cost
			}{
				{"first upload", put, cost{2, 3, bucket.Counts{Put: 1}, 5}},
				{"read", get, cost{1, 1, bucket.Counts{Get: 1}, 0}},
				{"look", stat, cost{1, 1, bucket.Counts{}, 0}},
				{"replacement", put, cost{3, 4, bucket.Counts{Put: 1, Delete: 1, List: 1}, 8}},
				{"delete", remove, cost{2, 3, bucket.Counts{Delete: 1, List: 1}, 5}},
				{"delete of nothing", remove, cost{1, 2, bucket.Counts{}, 0}},
				{"upload", put, cost{2, 3, bucket.Counts{Put: 1}, 5}},
				{"end of a user with a picture", erase, cost{3, 5, bucket.Counts{Delete: 1, List: 1}, 8}},
				{"end of a user who has ended", erase, cost{1, 3, bucket.Counts{}, 0}},
			} {
				rows, trips, statements, was := written(t, s, o), counter.trips.Load(), counter.statements.Load(), s.bucket.Requests.Counts()
				c.call()
				got, now := cost{trips: counter.trips.Load() - trips, statements: counter.statements.Load() - statements}, s.bucket.Requests.Counts()
				got.requests = bucket.Counts{Put: now.Put - was.Put, Get: now.Get - was.Get, Delete: now.Delete - was.Delete, List: now.List - was.List}
				if got.rows = written(t, s, o) - rows; got != c.want {
					t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
				}
			}
		})
	}
}

// written counts the rows that were ever written in the tables of the store, whose one connection tells what it knows first.
func written(t *testing.T, s *Store, o Options) (rows int64) {
	t.Helper()
	if _, err := s.pool.Exec(t.Context(), `SELECT pg_stat_force_next_flush()`); err != nil {
		t.Fatal(err)
	}
	err := sql(t, o).QueryRow(t.Context(), `SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::bigint FROM pg_stat_user_tables`).Scan(&rows)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
