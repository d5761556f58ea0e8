package embedded

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// windowCase is a group commit that is open, and what comes meanwhile.
type windowCase struct {
	name        string
	last, late  int             // changes in the group commit before, and those that had arrived when it ended
	took, since time.Duration   // of the group commit before, and since its end
	has         int             // changes the group commit has
	at          []time.Duration // when further ones arrive
	hurry       time.Duration   // when the database is wanted
	closed      bool
	waits       time.Duration
	takes       int
	turns       int // in which it takes them, if more than one
}

const windowTook, ms = 3 * time.Millisecond, time.Millisecond

var windowCases = []windowCase{
	{name: "the first group commit", has: 1},
	{name: "a lone caller", last: 1, has: 1},
	{name: "two callers", last: 1, late: 1, has: 1},
	{name: "the third of three", last: 2, late: 1, has: 1, at: []time.Duration{ms}, waits: ms, takes: 1},
	{name: "enough are there", last: 8, late: 8, has: 12},
	{name: "more are there than enough", last: 8, has: 7, at: []time.Duration{0, 0}, takes: 2},
	{name: "enough arrive", last: 8, has: 3, at: []time.Duration{ms, 2 * ms, 2 * ms, 3 * ms}, waits: 2 * ms, takes: 3},
	{name: "half of the missing, and half again", last: 16, has: 6, at: []time.Duration{ms, ms, ms, 2 * ms, 2 * ms, 3 * ms}, took: 9 * ms,
		waits: 3 * ms, takes: 6, turns: 3},
	{name: "none comes", last: 8, has: 1, waits: windowTook},
	{name: "too few come", last: 8, has: 1, at: []time.Duration{0, ms}, waits: windowTook, takes: 2},
	{name: "many are enough", last: 100, late: 100, has: enoughRequests},
	{name: "a slow disk", last: 8, took: time.Second, has: 1, waits: maxBatchWait},
	{name: "a group commit not long ago", last: 8, since: maxBatchWait, has: 1, waits: windowTook},
	{name: "a group commit long ago", last: 8, since: maxBatchWait + 1, has: 1},
	{name: "the database is wanted", last: 8, has: 1, at: []time.Duration{0, 2 * ms}, hurry: ms, waits: ms, takes: 1},
	{name: "the store is closed", last: 8, has: 1, at: []time.Duration{0}, closed: true, takes: 1},
}

// An open group commit waits until it has three quarters of the changes that there were lately, and no longer than the last group commit
// took.
func TestBatchWindow(t *testing.T) {
	for _, tt := range windowCases {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, tt.run)
		})
	}
}

func (tt *windowCase) run(t *testing.T) {
	var l queue
	l.init()
	c := newBatchWindow()
	c.began = time.Now().Add(-max(tt.took, windowTook))
	c.end(tt.last, tt.late)
	time.Sleep(tt.since)
	arrive := func() {
		if err := l.enter(&request{}); err != nil {
			t.Error(err)
		}
	}
	for _, at := range tt.at {
		if at == 0 {
			arrive()
		} else {
			time.AfterFunc(at, arrive)
		}
	}
	var wanted atomic.Bool
	if tt.hurry > 0 {
		time.AfterFunc(tt.hurry, func() {
			wanted.Store(true)
			l.signal()
		})
	}
	if tt.closed {
		l.close()
	}
	c.begin()
	taken, turns := 0, 0
	for c.await(&l, tt.has+taken, wanted.Load) {
		batch, _, _ := l.take(nil, maxBatch)
		taken += len(batch)
		turns++
		synctest.Wait()
	}
	if waited := time.Since(c.began); waited != tt.waits || c.waited != tt.waits {
		t.Errorf("waited %v and counted %v, want %v", waited, c.waited, tt.waits)
	}
	if taken != tt.takes {
		t.Errorf("took %d more, want %d", taken, tt.takes)
	}
	if tt.turns > 0 && turns != tt.turns {
		t.Errorf("took them in %d turns, want %d", turns, tt.turns)
	}
	if tt.closed {
		return
	}
	// A change that comes later wakes the committer again, even a single one.
	time.Sleep(time.Second) // all have arrived by then
	l.take(nil, maxBatch)
	woken(&l)
	if arrive(); !woken(&l) {
		t.Error("a change that comes later does not wake the committer")
	}
}

// woken takes the token that wakes the committer, if it is there.
func woken(l *queue) bool {
	select {
	case <-l.wake:
		return true
	default:
		return false
	}
}

// When the database is wanted, the group commit takes the changes that have arrived, and none after them.
func TestBatchWindowInAHurry(t *testing.T) {
	var l queue
	l.init()
	c := newBatchWindow()
	c.known = 8
	c.begin()
	for i, want := range []bool{true, false} {
		if err := l.enter(&request{}); err != nil {
			t.Fatal(err)
		}
		if got := c.await(&l, 1+i, func() bool { return i == 0 }); got != want {
			t.Errorf("await %d: %v, want %v", i, got, want)
		}
		if got, _, _ := l.take(nil, maxBatch); len(got) != 1 {
			t.Errorf("took %d", len(got))
		}
	}
}

// expectChanges has the next group commit wait for another n-1 changes.
func expectChanges(s *Store, n int) {
	s.window.known, s.window.took, s.window.ended = (4*n+2)/3, time.Hour, time.Now()
}

// A group commit that is open ends its waiting when the connection is wanted, as by backups and checks. A read needs no connection and
// does not wait for the group commit.
func TestWantedConnectionEndsWaiting(t *testing.T) {
	for _, tt := range []struct {
		name  string
		read  func(*testing.T, *Store)
		waits bool
	}{
		{"a step of a backup", func(_ *testing.T, s *Store) { s.db.lock(); s.db.mu.Unlock() }, false},
		{"a read", func(t *testing.T, s *Store) {
			began := time.Now()
			if _, err := s.Get(t.Context(), testKey(2), testOrg); err != nil {
				t.Error(err)
			}
			if waited := time.Since(began); waited != 0 {
				t.Errorf("the read waited %v", waited)
			}
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := openTest(t, t.TempDir())
				mustPut(t, s, 1, 100)
				mustPut(t, s, 2, 100)
				synctest.Wait()
				expectChanges(s, 2)
				began := time.Now()
				var removed sync.WaitGroup
				removed.Go(func() { mustRemove(t, s, 1) })
				synctest.Wait()
				tt.read(t, s)
				removed.Wait()
				if waited := time.Since(began); waited != 0 != tt.waits {
					t.Errorf("the group commit waited %v", waited)
				}
			})
		})
	}
}

// A change that arrives while a group commit is open shares its transaction and its syncs, and fails only by itself.
func TestJoining(t *testing.T) {
	remove := func(i int) func(*testing.T, *Store) {
		return func(t *testing.T, s *Store) { mustRemove(t, s, i) }
	}
	for _, tt := range []struct {
		name        string
		join        func(*testing.T, *Store)
		gone        int   // who loses the picture beside 1
		logs, slabs int64 // syncs
	}{
		{"two deletes", remove(2), 2, 1, 1},
		{"a delete of nothing", remove(3), 3, 1, 1},
		{"a delete that breaks the transaction", func(t *testing.T, s *Store) {
			err := s.queue.submit(t.Context(), &request{op: broken{}})
			if !errors.Is(err, errBroken) {
				t.Errorf("%v, want %v", err, errBroken)
			}
		}, 1, 1, 1},
		{"an upload", func(t *testing.T, s *Store) { mustPut(t, s, 5, 100) }, 1, 2, 1},
		{"an upload that the slab grows for", func(t *testing.T, s *Store) { mustPut(t, s, 5, 50_000) }, 1, 4, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &meter{}
				s, err := Open(t.Context(), Config{Dir: t.TempDir(), WrapFile: m.wrap})
				if err != nil {
					t.Fatal(err)
				}
				defer func() {
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				}()
				for i := range 4 {
					mustPut(t, s, i, 100)
				}
				mustRemove(t, s, 3)
				synctest.Wait()
				expectChanges(s, 2)
				before := m.read()
				var all sync.WaitGroup
				all.Go(func() { mustRemove(t, s, 1) })
				time.Sleep(time.Millisecond)
				tt.join(t, s)
				all.Wait()
				after := m.read()
				if logs, slabs := after.LogSyncs-before.LogSyncs, after.SlabSyncs-before.SlabSyncs; logs != tt.logs || slabs != tt.slabs {
					t.Errorf("%d syncs of the log and %d of the slab, want %d and %d", logs, slabs, tt.logs, tt.slabs)
				}
				for i := range 4 {
					_, err := s.Get(t.Context(), testKey(i), testOrg)
					if gone := i == 1 || i == 3 || i == tt.gone; errors.Is(err, storage.ErrNoPicture) != gone {
						t.Errorf("user %d: %v", i, err)
					}
				}
			})
		})
	}
}

var errBroken = errors.New("broken")

// broken is a change that its transaction does not survive.
type broken struct{}

func (broken) slotClass() (slab.Class, bool)      { return 0, false }
func (broken) apply(*groupCommit, *request) error { return errBroken }
func (broken) finished(t *request, _ bool, err error) bool {
	t.answer = err
	return false
}
