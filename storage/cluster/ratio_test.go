package cluster

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"example.org/avatard/storage"
)

var (
	leastRatio = flag.Float64("ratio", 0, "fail when the engine deletes less than this part of what a raw loop of the same statements and requests does, at 16 callers")
	rounds     = flag.Int("rounds", 1, "rounds of TestRatio")
	deletes    = flag.Int("deletes", 4, "deletes of each caller in a round of TestRatio")
)

// The engine against a raw loop: the same statements and requests, one after the other, by as many callers, with nothing around them. In
// go test it shows that the two send the same; task bench:cluster measures.
func TestRatio(t *testing.T) {
	counter := new(tripCounter)
	o := options(t, true)
	o.tracer = counter
	s := openStore(t, o)
	s.sweeping() // what the sweeper asks would be counted, too
	openConnections(t, s)
	next := 0
	for _, callers := range []int{1, 16, 64} {
		var ratios []float64
		for range *rounds {
			var took [2]time.Duration
			var sent [2]int64
			for i, deleteOne := range []func(context.Context, *Store, storage.UserKey) error{rawDelete, engineDelete} {
				users := make([][]storage.UserKey, callers)
				for c := range users {
					for range *deletes {
						u := addUser(t, s, fmt.Sprint("user-", next))
						next++
						put(t, s, u)
						users[c] = append(users[c], u)
					}
				}
				trips := counter.trips.Load()
				took[i] = timeDeletes(t, s, users, deleteOne)
				sent[i] = counter.trips.Load() - trips
			}
			if sent[0] != sent[1] {
				t.Errorf("%d callers: the raw loop has made %d round trips, the engine %d", callers, sent[0], sent[1])
			}
			ratios = append(ratios, took[0].Seconds()/took[1].Seconds())
		}
		slices.Sort(ratios)
		median := ratios[len(ratios)/2]
		t.Logf("%d callers: %.2f of the raw loop (%.2f to %.2f in %d rounds)", callers, median, ratios[0], ratios[len(ratios)-1], len(ratios))
		if callers == 16 && median < *leastRatio {
			t.Errorf("16 callers: %.2f of the raw loop, want %.2f", median, *leastRatio)
		}
	}
}

// openConnections fills the pool: a new connection asks for its settings.
func openConnections(t *testing.T, s *Store) {
	t.Helper()
	for _, conn := range acquireAll(t, s) {
		conn.Release()
	}
}

func acquireAll(t *testing.T, s *Store) (all []*pgxpool.Conn) {
	t.Helper()
	for range s.pool.Config().MaxConns {
		conn, err := s.pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, conn)
	}
	return all
}

// timeDeletes runs deletes of each caller's users, one after the other, all callers at once.
func timeDeletes(t *testing.T, s *Store, users [][]storage.UserKey, deleteOne func(context.Context, *Store, storage.UserKey) error) time.Duration {
	t.Helper()
	var wg sync.WaitGroup
	began := time.Now()
	for _, mine := range users {
		wg.Go(func() {
			for _, u := range mine {
				if err := deleteOne(t.Context(), s, u); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}

func engineDelete(ctx context.Context, s *Store, u storage.UserKey) error {
	_, err := s.Remove(ctx, removalOf(u))
	return err
}

// rawDelete is what a delete has to send, and nothing else.
func rawDelete(ctx context.Context, s *Store, u storage.UserKey) error {
	a := s.newAttempt(ctx)
	p := a.person
	intended := false
	s.queueIntent(a, removalOf(u), &intended)
	p.look(a.Batch, u)
	if err := s.pool.SendBatch(ctx, a.Batch).Close(); err != nil {
		return err
	}
	if !intended || len(p.work) != 1 {
		return fmt.Errorf("%s: nothing to delete", u.ID)
	}
	folder := s.folders.of(p.folder, u.ID)
	if err := s.bucket.Delete(ctx, folder+p.work[0].gen.String(), p.work[0].version); err != nil {
		return err
	}
	if left, _, err := s.bucket.Versions(ctx, folder, 10, nil); err != nil || len(left) > 0 {
		return fmt.Errorf("%s: left %v, %w", u.ID, left, err)
	}
	batch := new(pgx.Batch)
	batch.Queue(sqlDone, []generationID{p.work[0].gen})
	return s.pool.SendBatch(ctx, batch).Close()
}
