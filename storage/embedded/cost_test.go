package embedded

import (
	"context"
	"errors"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/datadir"
)

// cost is what one call of a lone caller costs.
type cost struct {
	Statements  int64 // of SQL, BEGIN and COMMIT included, those of triggers not
	LogSyncs    int64
	SlabWrites  int64
	SlabSyncs   int64
	Allocations int64 // of memory, by caller and committer together
}

// costs are the counts as they are. A change that makes the program cheaper lowers them here; a count that rises is to be
// looked at, and an aid to testing must never raise one.
var costs = map[string]cost{
	"upload":                      {Statements: 11, LogSyncs: 2, SlabWrites: 1, SlabSyncs: 1, Allocations: 16},
	"replacement":                 {Statements: 12, LogSyncs: 2, SlabWrites: 2, SlabSyncs: 2, Allocations: 18},
	"delete":                      {Statements: 8, LogSyncs: 1, SlabWrites: 1, SlabSyncs: 1, Allocations: 12},
	"delete of what is not there": {Statements: 5, LogSyncs: 1, Allocations: 10},
	"read":                        {Statements: 1, Allocations: 5},
	"read again":                  {Allocations: 2},
	"look":                        {Allocations: 1},
}

// meter counts what a store does to its database and files.
type meter struct {
	statements, logSyncs, slabWrites, slabSyncs atomic.Int64
}

type meteredFile struct {
	File
	name string
	m    *meter
}

func (m *meter) wrap(name string, f File) File { return &meteredFile{f, name, m} }

func (f *meteredFile) WriteAt(p []byte, off int64) (int, error) {
	if f.name == slabName {
		f.m.slabWrites.Add(1)
	}
	return f.File.WriteAt(p, off)
}

// Punch is not counted: no call has a part in it.
func (f *meteredFile) Punch(off, n int64) error {
	below, ok := f.File.(datadir.Puncher)
	if !ok {
		return errors.ErrUnsupported
	}
	return below.Punch(off, n)
}

func (f *meteredFile) Sync() error {
	switch f.name {
	case slabName:
		f.m.slabSyncs.Add(1)
	case databaseName + "-wal":
		f.m.logSyncs.Add(1)
	}
	return nil // counted is enough; the disk would take most of the time
}

func (m *meter) read() cost {
	return cost{Statements: m.statements.Load(), LogSyncs: m.logSyncs.Load(), SlabWrites: m.slabWrites.Load(), SlabSyncs: m.slabSyncs.Load()}
}

// The cost of each call is what it is said to be, in every run of it: nothing that serves the tests alone is in it.
func TestCosts(t *testing.T) {
	got := map[string]cost{}
	countWork(t, got)
	countAllocations(t, got)
	if diff := cmp.Diff(costs, got); diff != "" {
		t.Errorf("costs (-want +got):\n%s", diff)
	}
}

// Rounds of calls before and while they are counted: fewer than fill the log, so that no checkpoint comes in between.
const warmRounds, costRounds = 8, 64

// eachCall makes the calls of a user's life, one after the other, and tells before and after which of them it was.
func eachCall(t *testing.T, s *Store, before func(), after func(name string, counted bool)) {
	t.Helper()
	ctx := context.Background()
	first, second := upload(1, 4000), upload(1, 3000)
	read := func() (storage.Result, error) {
		_, err := s.Get(ctx, first.User, testOrg)
		return storage.Result{}, err
	}
	for round := range warmRounds + costRounds {
		for _, c := range []struct {
			name string
			call func() (storage.Result, error)
		}{
			{"upload", func() (storage.Result, error) { return s.Put(ctx, first) }},
			{"replacement", func() (storage.Result, error) { return s.Put(ctx, second) }},
			{"read", read},
			{"read again", read},
			{"look", func() (storage.Result, error) {
				_, err := s.Stat(ctx, first.User, testOrg)
				return storage.Result{}, err
			}},
			{"delete", func() (storage.Result, error) { return s.Remove(ctx, removal(1)) }},
			{"delete of what is not there", func() (storage.Result, error) { return s.Remove(ctx, removal(1)) }},
		} {
			before()
			_, err := c.call()
			after(c.name, round >= warmRounds)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
		}
	}
}

// countWork counts statements and what is done to files. It must be the same every time.
func countWork(t *testing.T, got map[string]cost) {
	t.Helper()
	m := &meter{}
	s, err := Open(context.Background(), Config{Dir: t.TempDir(), WrapFile: m.wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	onCommitter(s, s.regainRoom) // the reserve is filled once in a store's life
	s.db.mu.Lock()
	// This one comes at the end of a statement, and not for the triggers in it.
	err = s.db.conn.Trace(sqlite3.TRACE_PROFILE, func(sqlite3.TraceEvent, any, any) error {
		m.statements.Add(1)
		return nil
	})
	s.db.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	var start cost
	eachCall(t, s, func() { start = m.read() }, func(name string, counted bool) {
		end := m.read()
		this := cost{Statements: end.Statements - start.Statements, LogSyncs: end.LogSyncs - start.LogSyncs,
			SlabWrites: end.SlabWrites - start.SlabWrites, SlabSyncs: end.SlabSyncs - start.SlabSyncs}
		if seen, ok := got[name]; ok && seen != this {
			t.Errorf("%s: %+v, and %+v another time", name, this, seen)
		}
		if counted {
			got[name] = this
		}
	})
}

// countAllocations counts on a store whose statements are not watched: watching allocates.
func countAllocations(t *testing.T, got map[string]cost) {
	t.Helper()
	s, err := Open(context.Background(), Config{Dir: t.TempDir(), WrapFile: (&meter{}).wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	onCommitter(s, s.regainRoom) // the reserve is filled once in a store's life
	sums := map[string]uint64{}
	var start, end runtime.MemStats
	eachCall(t, s, func() { runtime.ReadMemStats(&start) }, func(name string, counted bool) {
		if runtime.ReadMemStats(&end); counted {
			sums[name] += end.Mallocs - start.Mallocs
		}
	})
	for name, this := range got {
		t.Logf("%s: %+v, %.2f allocations", name, this, float64(sums[name])/costRounds)
		// What happens once in a while (a map that grows, the runtime's own) is much less than one a call.
		if this.Allocations = int64(math.Round(float64(sums[name]) / costRounds)); raceDetector() {
			this.Allocations = costs[name].Allocations
		}
		got[name] = this
	}
}

// raceDetector reports whether this test was built with -race, which allocates too.
func raceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
