package embedded

import (
	"errors"
	"slices"
	"time"
)

const (
	// maxBatch bounds the changes that share a transaction.
	maxBatch = 256
	// refusalDelay is how long records of refusals wait for a group commit that takes them along.
	refusalDelay = time.Second
)

// run is the committer: it makes all changes, group commit by group commit, until the store is closed and nothing is under way.
func (s *Store) run() {
	defer close(s.stopped)
	s.quiet, s.choreTimer = time.Now(), time.NewTimer(0)
	defer s.choreTimer.Stop()
	for {
		s.watchdog.begin()
		if due := s.sweepDue(s.quiet); !due.IsZero() && !due.After(time.Now()) { // even while changes wait
			s.sweep()
		}
		batch, idle, closed := s.queue.take(s.requeued, maxBatch)
		s.requeued = nil
		if len(batch) == 0 {
			if closed && idle {
				s.commitBatch(nil) // what is finished goes on record
				return
			}
			if s.doChore() {
				continue
			}
			if flush := s.await(); !flush {
				continue
			}
		}
		s.window.begin()
		n := s.commitOpenBatch(batch)
		s.window.end(n, s.queue.arrivals())
		s.afterGroupCommit()
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
	s.watchdog.end()
	select {
	case <-s.queue.wake:
	case do := <-s.calls:
		do()
	case <-s.nextChore():
	case <-s.refusalsDue:
		s.refusalsDue, flush = nil, true
	}
	s.watchdog.begin()
	return flush
}

// groupCommit is one transaction and what follows from it.
type groupCommit struct {
	s           *Store
	db          *database
	now         int64 // microseconds since 1970
	nextReceipt int64
	lastEnd     int64 // number of the last user who has ended
	added       registryChanges
	sealing     bool                // receipts get their places in this transaction
	room        [2]generationRecord // for the generations that a look-up finds; more than two are rare
}

// commitBatch makes the changes of a batch; those that need another group commit go to s.requeued.
func (s *Store) commitBatch(batch []*request) { s.commitGroup(batch, noMore) }

// commitOpenBatch is commitBatch together with requests that arrive in time. It returns how many changes it committed.
func (s *Store) commitOpenBatch(batch []*request) int { return s.commitGroup(batch, s.moreRequests) }

func (s *Store) commitGroup(batch []*request, joining func(has int) []*request) int {
	if s.space.short.Load() && slices.ContainsFunc(batch, (*request).isNew) {
		s.regainRoom()
	}
	s.reserveRegions(batch)
	batch, committed, err := s.transact(batch, joining)
	for noRoom(err) {
		if onlyNew := len(batch) > 0 && !slices.ContainsFunc(batch, func(t *request) bool { return !t.isNew() }); onlyNew {
			s.space.short.Store(true)
			break
		}
		if !s.makeRoom() {
			break
		}
		batch, committed, err = s.transact(batch, noMore)
	}
	switch {
	case err != nil && len(batch) > 1 && !errors.Is(err, errCommit):
		// One of them broke the transaction. Each is tried by itself, so that only that one fails.
		for _, t := range batch {
			s.commitBatch([]*request{t})
		}
	case committed:
		s.finishBatch(s.applyToSlots(batch))
	default:
		finished := s.complete(batch, false, err)
		s.report()
		s.reply(finished)
	}
	return len(batch)
}

// complete passes the outcome of a group commit to its changes and returns those that have their answer now.
func (s *Store) complete(batch []*request, committed bool, err error) (finished []*request) {
	for _, t := range batch {
		terr := err
		if terr == nil {
			terr = errors.Join(t.err, t.slabErr)
		}
		if t.op.finished(t, committed && t.err == nil, terr) {
			s.requeued = append(s.requeued, t)
		} else {
			finished = append(finished, t)
		}
	}
	return finished
}

func (s *Store) reply(finished []*request) {
	for _, t := range finished {
		s.queue.reply(t)
	}
}

// report stores the state that Ready and ErasuresDone report.
func (s *Store) report() {
	stuck := s.stuck()
	s.publishStats()
	if s.commitErr == nil && s.slabErr == nil && stuck == 0 {
		s.health.Store(nil)
		return
	}
	s.health.Store(&health{stuck: stuck, commit: s.commitErr, slab: s.slabErr})
}

// stuck counts the erasures that were tried and failed.
func (s *Store) stuck() int { return len(s.erasures.failed) + len(s.orphans) }

// pending counts the erasures that are due and not done, those under way included.
func (s *Store) pending() int { return len(s.erasures.open) + len(s.orphans) }
