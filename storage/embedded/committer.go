package embedded

import (
	"errors"
	"slices"
	"time"
)

const (
	// maxRound bounds the changes that share a transaction.
	maxRound = 256
	// refusalDelay is how long records of refusals wait for a round to ride on.
	refusalDelay = time.Second
)

// run is the committer: it makes all changes, round by round, until the store is closed and nothing is under way.
func (s *Store) run() {
	defer close(s.stopped)
	s.quiet, s.choreTimer = time.Now(), time.NewTimer(0)
	defer s.choreTimer.Stop()
	for {
		s.busy.begin()
		if due := s.sweepDue(s.quiet); !due.IsZero() && !due.After(time.Now()) { // however many others come
			s.sweep()
		}
		batch, idle, closed := s.line.take(s.again, maxRound)
		s.again = nil
		if len(batch) == 0 {
			if closed && idle {
				s.round(nil) // what is finished goes on record
				return
			}
			if s.doChore() {
				continue
			}
			if flush := s.await(); !flush {
				continue
			}
		}
		s.company.begin()
		n := s.openRound(batch)
		s.company.end(n, s.line.arrivals())
		s.afterRound()
	}
}

// await blocks until something has to be done: changes that arrived, a chore, or records of refusals that have waited long
// enough, which it reports.
func (s *Store) await() (flush bool) {
	switch {
	case !s.refusals.waiting():
		s.refusalsDue = nil
	case s.refusalsDue == nil:
		s.refusalsDue = time.After(refusalDelay)
	}
	s.busy.end()
	select {
	case <-s.line.wake:
	case do := <-s.calls:
		do()
	case <-s.nextChore():
	case <-s.refusalsDue:
		s.refusalsDue, flush = nil, true
	}
	s.busy.begin()
	return flush
}

// round is one transaction and what follows from it.
type round struct {
	s           *Store
	db          *database
	now         int64 // microseconds since 1970
	nextReceipt int64
	added       namesAdded
	room        [2]generationRecord // for what a look-up finds; more than two are rare
}

// round makes the changes of a batch; those that want another round go to s.again.
func (s *Store) round(batch []*ticket) { s.makeRound(batch, nobody) }

// openRound is round with whoever else arrives in time. It returns how many changes it was of.
func (s *Store) openRound(batch []*ticket) int { return s.makeRound(batch, s.joining) }

func (s *Store) makeRound(batch []*ticket, joining func(has int) []*ticket) int {
	if s.space.short.Load() && slices.ContainsFunc(batch, (*ticket).isNew) {
		s.regainRoom()
	}
	s.reserveRegions(batch)
	batch, committed, err := s.transact(batch, joining)
	for noRoom(err) {
		if onlyNew := len(batch) > 0 && !slices.ContainsFunc(batch, func(t *ticket) bool { return !t.isNew() }); onlyNew {
			s.space.short.Store(true)
			break
		}
		if !s.makeRoom() {
			break
		}
		batch, committed, err = s.transact(batch, nobody)
	}
	switch {
	case err != nil && len(batch) > 1 && !errors.Is(err, errCommit):
		// One of them broke the transaction. By itself, each answers for itself.
		for _, t := range batch {
			s.round([]*ticket{t})
		}
	case committed:
		s.conclude(s.applyToSlots(batch))
	default:
		finished := s.settle(batch, false, err)
		s.report()
		s.leave(finished)
	}
	return len(batch)
}

// settle tells changes how their round went and returns those that have their answer now.
func (s *Store) settle(batch []*ticket, committed bool, err error) (finished []*ticket) {
	for _, t := range batch {
		terr := err
		if terr == nil {
			terr = errors.Join(t.err, t.slabErr)
		}
		if t.work.settled(t, committed && t.err == nil, terr) {
			s.again = append(s.again, t)
		} else {
			finished = append(finished, t)
		}
	}
	return finished
}

func (s *Store) leave(finished []*ticket) {
	for _, t := range finished {
		s.line.leave(t)
	}
}

// report keeps what Ready tells.
func (s *Store) report() {
	stuck := s.stuck()
	s.stand()
	if s.commitErr == nil && s.slabErr == nil && stuck == 0 {
		s.health.Store(nil)
		return
	}
	s.health.Store(&health{stuck: stuck, commit: s.commitErr, slab: s.slabErr})
}

// stuck counts the erasures that were tried and failed.
func (s *Store) stuck() int { return len(s.ledger.failed) + len(s.leftovers) }

// pending counts the erasures that are due and not done, those under way included.
func (s *Store) pending() int { return len(s.ledger.open) + len(s.leftovers) }
