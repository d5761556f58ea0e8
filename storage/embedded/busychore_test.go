package embedded

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// hookedFile calls something before each sync, and does none: nothing here loses power.
type hookedFile struct {
	File
	hook func()
}

func (f *hookedFile) Sync() error {
	f.hook()
	return nil
}

// storeWithChores makes a store with much to prune and to trim, and returns its directory and the length of its slab.
func storeWithChores(t *testing.T, users int) (dir string, slabBytes int64) {
	t.Helper()
	dir = t.TempDir()
	s := openTest(t, dir)
	each(16, users, func(i int) {
		for size := range 4 {
			mustPut(t, s, i, 100+size)
		}
	})
	mustPut(t, s, users, 1_000_000) // in a region that can be cut off
	mustRemove(t, s, users)
	slabBytes = s.slots.End * slab.PageBytes
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, slabBytes
}

// A server on which a change waits at every moment removes what is old, looks for free slots and cuts off free regions all the same, a
// step every so many group commits at most.
func TestChoresOfAServerThatIsNeverIdle(t *testing.T) {
	const users = 200
	dir, before := storeWithChores(t, users)
	synctest.Test(t, func(t *testing.T) {
		const changes, took = 20 * choreCommits, 100 * time.Millisecond // of the test's own clock
		var s *Store
		var callers sync.WaitGroup
		working, made := false, 0
		arrive := func() { // while a group commit is committed
			if !working || made == changes || s.queue.arrivals() > 0 {
				return
			}
			made++
			time.Sleep(took)
			user := made % users
			callers.Go(func() { mustPut(t, s, user, 100) })
			for s.queue.arrivals() == 0 && !s.queue.isClosed() {
				runtime.Gosched()
			}
		}
		later := time.Now().Add(100 * 365 * day)
		var err error
		s, err = Open(t.Context(), Config{Dir: dir, Keep: storage.Retention{Changes: day, Receipts: day}, Now: func() time.Time { return later },
			WrapFile: func(name string, f File) File {
				if name != logName {
					return f
				}
				return &hookedFile{f, arrive}
			}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		onCommitter(s, func() {
			working, s.trimmer.rooted, s.pruning.next = true, 0, time.Now().Add(time.Second)
			s.chores = append(s.chores, chore{due: func(time.Time) (due time.Time) {
				if 0 < made && made < changes {
					due = time.Now()
				}
				return due
			}, do: func() {
				t.Errorf("no change waits after %d of them", made)
				made = changes
			}})
		})
		mustPut(t, s, 0, 300)
		callers.Wait()
		synctest.Wait() // until the last group commit is over
		st := s.Stats()
		if st.PrunedReceipts < 3*users-users || st.PrunedChanges < 4*users {
			t.Errorf("%d receipts and %d records were removed, want at least %d and %d", st.PrunedReceipts, st.PrunedChanges, 2*users, 4*users)
		}
		if st.SlabBytes >= before {
			t.Errorf("the slab has %d bytes, and had %d before", st.SlabBytes, before)
		}
		if made < changes {
			t.Errorf("%d changes, want %d", made, changes)
		}
	})
}
