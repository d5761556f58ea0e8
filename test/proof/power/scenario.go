package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"

	"example.org/avatard/storage/powercut"
	"example.org/avatard/storage/storagetest"
)

// scenarioUsers is how many users there are in the scenarios.
const scenarioUsers = 6

// scenarios are runs of the engine whose traces are cut at every place. With a stride of n only every n-th of
// the many places and outcomes is checked. Those that take long have no place in every go test.
var scenarios = []struct {
	name string
	long bool
	run  func(s *scenario, stride int) error
}{
	{"first start and after", false, (*scenario).everyCut},
	{"recovery after a cut", true, (*scenario).recovery},
	{"killed, then cut", true, (*scenario).killed},
	{"checkpoint of the log", true, (*scenario).checkpoint},
	{"a sync that fails, then cut", false, (*scenario).failing},
	{"space given back", false, (*scenario).givingBack},
}

// scenario is one run of the engine.
type scenario struct {
	*proof
	ctx  context.Context
	dir  string
	disk *powercut.Disk
	r    *recorder

	mu     sync.Mutex
	id     int
	number uint32
	errs   []error
}

// newScenario prepares a directory for the engine to be started in. It is not there yet.
func newScenario(ctx context.Context, scratch string) (*scenario, error) {
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return nil, err
	}
	s := &scenario{ctx: ctx, dir: filepath.Join(scratch, "data"), proof: newProof(scratch, storagetest.NewPattern(7), scenarioUsers)}
	return s, s.renew()
}

// renew takes away what there is.
func (s *scenario) renew() (err error) {
	if err := os.RemoveAll(s.dir); err != nil {
		return err
	}
	s.disk, err = powercut.New(s.dir)
	return err
}

// start starts the engine on the disk.
func (s *scenario) start() (err error) {
	s.r, err = openRecorded(s.ctx, s.dir, s.disk, s.pattern)
	return err
}

// put uploads a picture of a user.
func (s *scenario) put(user, size int) {
	s.mu.Lock()
	s.number++
	number := s.number
	s.mu.Unlock()
	s.do(user, number, size)
}

// remove removes a user's picture.
func (s *scenario) remove(user int) { s.do(user, 0, 0) }

func (s *scenario) do(user int, number uint32, size int) {
	s.mu.Lock()
	s.id++
	c := change{s.id, user, number, size}
	s.mu.Unlock()
	if err := s.r.do(s.ctx, c); err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.errs = append(s.errs, err)
	}
}

// together makes changes of several users at once.
func (s *scenario) together(changes ...func()) {
	var all sync.WaitGroup
	for _, c := range changes {
		all.Go(c)
	}
	all.Wait()
}

// end stops the engine and returns what happened.
func (s *scenario) end() (*powercut.Trace, error) {
	err := errors.Join(append(s.errs, s.r.store.Close())...)
	return s.disk.Trace(), err
}

// workload is a first start and what users do then: upload, replace by something smaller and larger, remove, come back.
func (s *scenario) workload() (*powercut.Trace, error) {
	if err := s.start(); err != nil {
		return nil, err
	}
	s.put(1, 5000)
	s.put(2, 300)
	s.put(1, 20_000)
	s.put(1, 5100)
	s.remove(1)
	s.together(func() { s.put(1, 5200) }, func() { s.put(2, 400) }, func() { s.put(3, 700) }, func() { s.put(4, 4100) })
	s.together(func() { s.remove(2) }, func() { s.put(3, 600) }, func() { s.remove(4) })
	s.remove(1)
	s.put(4, 5000)
	return s.end()
}

// everyCut cuts the power at every place of a first start and of what follows.
func (s *scenario) everyCut(stride int) error {
	trace, err := s.workload()
	if err != nil {
		return err
	}
	return s.enumerate(s.ctx, trace, expectedState{}, func(cut *powercut.Cut) []powercut.Outcome { return everyOutcome(cut, stride) }, nil)
}

// recovery cuts it again at every place of the start that follows a cut.
func (s *scenario) recovery(stride int) error {
	trace, err := s.workload()
	if err != nil {
		return err
	}
	n := 0
	return s.enumerate(s.ctx, trace, expectedState{}, fewOutcomes, func(b expectedState, o result) error {
		if o.start == nil {
			return nil
		}
		if n++; n%stride != 0 {
			return nil
		}
		return s.enumerate(s.ctx, o.start, b.clone(), fewOutcomes, nil)
	})
}

// killed kills the process, which loses nothing, lets another one go on with what was written and not synced, and then
// cuts the power.
func (s *scenario) killed(stride int) error {
	trace, err := s.workload()
	if err != nil {
		return err
	}
	noted, b := 0, expectedState{}
	for cut := range trace.Cuts() {
		b.note(cut.Marks[noted:])
		noted = len(cut.Marks)
		if cut.At%stride != 0 && cut.At > 8 { // the first places are those where names are made
			continue
		}
		if s.disk, err = cut.Resume(s.dir); err != nil {
			return err
		}
		if err := errors.Join(s.start(), s.r.see(s.ctx, b)); err != nil {
			return fmt.Errorf("killed before operation %d: %w", cut.At, err)
		}
		s.put(5, 900)
		s.put(1, 1000)
		s.remove(1)
		again, err := s.end()
		if err != nil {
			return err
		}
		s.forget()
		found := len(s.violations)
		if err := s.enumerate(s.ctx, again, b.clone(), endOutcomes, nil); err != nil {
			return err
		}
		for i := range s.violations[found:] {
			s.violations[found+i] = fmt.Sprintf("killed before operation %d, then %s", cut.At, s.violations[found+i])
		}
	}
	return nil
}

// checkpoint cuts it from the moment on when the log is moved into the database, and while it is begun anew.
func (s *scenario) checkpoint(int) error {
	if err := s.start(); err != nil {
		return err
	}
	from, before := math.MaxInt, s.disk.Operations()
	for i := 0; i < 3000 && from == math.MaxInt; i++ {
		last := before // the engine does that after its answer, perhaps while the next change is on its way
		before = s.disk.Operations()
		s.put(i%scenarioUsers, 300)
		if s.disk.Trace().Wrote("avatard.db", last) {
			from = last
		}
	}
	if from == math.MaxInt {
		return errors.New("the log was never moved into the database")
	}
	for i := range 4 {
		s.put(i, 350)
		s.remove(i)
	}
	trace, err := s.end()
	if err != nil {
		return err
	}
	return s.enumerate(s.ctx, trace, expectedState{}, func(cut *powercut.Cut) []powercut.Outcome {
		if cut.At < from {
			return nil
		}
		return fewOutcomes(cut)
	}, nil)
}

// failing lets each sync in turn fail and lose what it was to write, lets the engine go on, and then cuts the power.
func (s *scenario) failing(stride int) error {
	for at := 1; ; at += stride {
		if err := s.renew(); err != nil {
			return err
		}
		syncs := 0 // under the disk's lock
		s.disk.Fail(func(string) (uint64, bool) {
			syncs++
			return uint64(at), syncs == at
		})
		trace, err := s.workload()
		for again := 0; err != nil && again < 2; again++ { // as a supervisor of the process does
			trace, err = s.workload()
		}
		if err != nil {
			return fmt.Errorf("sync %d fails: %w", at, err)
		}
		if syncs < at {
			return nil
		}
		s.forget()
		found := len(s.violations)
		if err := s.enumerate(s.ctx, trace, expectedState{}, endOutcomes, nil); err != nil {
			return err
		}
		for i := range s.violations[found:] {
			s.violations[found+i] = fmt.Sprintf("sync %d fails, then %s", at, s.violations[found+i])
		}
	}
}

// givingBack cuts it from the moment on when space goes back to the file system: while holes are punched, a region is taken off the end, and
// then new pictures are written into the holes and behind the new end.
func (s *scenario) givingBack(stride int) error {
	if err := s.start(); err != nil {
		return err
	}
	const large = 1_000_000 // in slots of 257 pages; two regions are the 4 MiB that stay
	s.put(5, 5000)
	for user := range 5 {
		s.put(user, large)
	}
	for user := 1; user < 5; user++ {
		s.remove(user)
	}
	from := s.disk.Operations()
	if err := s.r.store.Tidy(s.ctx); err != nil {
		return err
	}
	to := s.disk.Operations()
	if t := s.disk.Trace(); !t.Punched("pictures.slab", from) || !t.Truncated("pictures.slab", from) {
		return errors.New("no hole was punched, or nothing was cut off")
	}
	s.put(1, 900_000)
	s.together(func() { s.put(2, large) }, func() { s.put(3, large) }, func() { s.put(4, large) })
	s.remove(1)
	s.put(1, 300_000)
	s.remove(2)
	s.put(2, 5000)
	trace, err := s.end()
	if err != nil {
		return err
	}
	return s.enumerate(s.ctx, trace, expectedState{}, func(cut *powercut.Cut) []powercut.Outcome {
		switch {
		case cut.At < from:
			return nil
		case stride > 1 && cut.At > to:
			return endOutcomes(cut)
		}
		return fewOutcomes(cut)
	}, nil)
}
