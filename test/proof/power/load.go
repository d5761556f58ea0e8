package main

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"example.org/avatard/storage/powercut"
	"example.org/avatard/storage/storagetest"
)

// What the load is like.
const (
	loadUsers      = 60
	loadCallers    = 12
	cutsOfRun      = 10  // of one run of the engine
	runsOfLife     = 12  // of one directory; then an empty one follows
	mostCallsOfRun = 500 // the log is moved into the database after about 200
)

// load runs an engine under calls of many users, cuts the power at random places, goes on with what one of the cuts left, and
// so forth.
type load struct {
	*proof
	dir      string
	random   *rand.Rand
	calls    int      // of each run of the engine; 0 means a random number
	outcomes int      // looked at for each cut
	failing  int      // one sync in so many fails, 0 for none
	lies     []string // files whose syncs do nothing
	first    bool     // stop at the first violation
	figures  figures

	expected expectedState
	from     powercut.Image // what the next run begins with
	runs     int            // in this directory
	id       int
	number   uint32
}

func newLoad(scratch string, seed uint64) *load {
	return &load{proof: newProof(scratch, storagetest.NewPattern(seed), loadUsers), dir: filepath.Join(scratch, "data"),
		random: rand.New(rand.NewPCG(seed, 1)), outcomes: 4, figures: figures{files: map[string]int{}}}
}

// run makes so many cuts.
func (l *load) run(ctx context.Context, cuts int) error {
	began := time.Now()
	defer func() { l.figures.took = time.Since(began) }()
	for l.cuts < cuts && !l.enough() {
		if l.runs%runsOfLife == 0 {
			l.expected, l.from = expectedState{}, powercut.Image{}
		}
		l.runs++
		done, err := l.work(ctx)
		if err != nil {
			return err
		}
		if err := l.cut(ctx, done, min(cutsOfRun, cuts-l.cuts)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (l *load) enough() bool { return l.first && len(l.violations) > 0 }

// work starts the engine on what the last cut left, lets it work and stops it.
func (l *load) work(ctx context.Context) (done shift, err error) {
	if err := l.from.Write(l.dir); err != nil {
		return done, err
	}
	disk, err := powercut.New(l.dir)
	if err != nil {
		return done, err
	}
	// Others get on meanwhile, as they do while a real disk works.
	disk.Delay(func(string) {
		for range rand.IntN(20) {
			runtime.Gosched()
		}
	})
	if l.failing > 0 {
		disk.Fail(func(string) (uint64, bool) { return rand.Uint64(), rand.IntN(l.failing) == 0 })
	}
	r, err := openRecorded(ctx, l.dir, disk, l.pattern)
	for again := 0; err != nil && l.failing > 0 && again < 5; again++ { // as a supervisor of the process does
		r, err = openRecorded(ctx, l.dir, disk, l.pattern)
	}
	if err != nil {
		return done, err
	}
	err = r.see(ctx, l.expected)
	done.begin = disk.Operations()
	for _, name := range l.lies {
		disk.Lie(name)
	}
	if err == nil {
		calls := l.calls
		if calls == 0 {
			calls = int(10 * math.Pow(mostCallsOfRun/10, l.random.Float64()))
		}
		l.figures.runs++
		err = l.call(ctx, r, calls)
	}
	done.end = disk.Operations()
	if cerr := r.store.Close(); l.failing == 0 {
		err = errors.Join(err, cerr)
	}
	done.trace = disk.Trace()
	return done, err
}

// shift is one run of the engine: what happened, and between which operations there were calls.
type shift struct {
	trace      *powercut.Trace
	begin, end int
}

// place returns a random place: one in five while the engine starts, one in twenty while it stops.
func (s shift) place(random *rand.Rand) int {
	switch n := random.IntN(20); {
	case n < 4:
		return random.IntN(s.begin + 1)
	case n < 19:
		return s.begin + random.IntN(s.end-s.begin+1)
	default:
		return s.end + random.IntN(s.trace.Len()-s.end+1)
	}
}

// call makes changes of many users at once, never two of one.
func (l *load) call(ctx context.Context, r *recorder, calls int) error {
	todo := make(chan change)
	done := make(chan int, loadUsers)
	var callers sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for range loadCallers {
		callers.Go(func() {
			for c := range todo {
				if err := r.do(ctx, c); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
				done <- c.user
			}
		})
	}
	free := l.random.Perm(loadUsers)
	known := map[int]bool{} // registered for certain
	for u, p := range l.expected {
		known[u] = p.sequence > 0 && len(p.open) == 0
	}
	for range calls {
		for len(free) < loadUsers/2 {
			free = append(free, <-done)
		}
		i := l.random.IntN(len(free))
		c := change{user: free[i]}
		free[i] = free[len(free)-1]
		free = free[:len(free)-1]
		l.id++
		c.id = l.id
		if !known[c.user] || l.random.Float64() > 0.4 {
			l.number++
			// Logarithmically uniform: as many of 200 B to 2 kB as of 30 kB to 300 kB.
			c.number, c.size = l.number, int(200*math.Pow(1500, l.random.Float64()))
			known[c.user] = true
		}
		todo <- c
		if l.random.IntN(60) == 0 { // beside the calls that are under way
			if err := r.store.Tidy(ctx); err != nil && l.failing == 0 {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
		}
	}
	close(todo)
	callers.Wait()
	return errors.Join(errs...)
}

// cut cuts the power at random places of a trace and chooses at random which of the outcomes the next run begins with.
func (l *load) cut(ctx context.Context, done shift, cuts int) error {
	places := map[int]bool{}
	for len(places) < min(cuts, done.end-done.begin) {
		places[done.place(l.random)] = true
	}
	goOn := l.random.IntN(len(places))
	begin := l.expected.clone()
	noted := 0
	for cut := range done.trace.Cuts() {
		l.figures.hear(cut.Marks[noted:])
		begin.note(cut.Marks[noted:])
		noted = len(cut.Marks)
		if !places[cut.At] {
			continue
		}
		l.cuts++
		l.figures.meet(cut, begin, done)
		l.forget()
		for range l.outcomes {
			o, err := l.check(ctx, cut, begin, powercut.Random(l.random.Uint64()))
			if err != nil {
				return err
			}
			if l.enough() {
				return nil
			}
			if goOn == 0 && o.good {
				l.expected, l.from = begin.clone(), o.image.Clone()
			}
		}
		goOn--
	}
	return nil
}
