package embedded

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ncruces/go-sqlite3"

	"avatard/storage"
	"avatard/storage/embedded/internal/hooks"
	"avatard/storage/embedded/internal/slab"
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

// errCommit marks a transaction that failed at its end: the disk, not one of the changes, is the reason.
var errCommit = errors.New("commit")

// transact runs the batch's changes, and those that join them, as one transaction. It returns all of them. What it left in
// memory is undone when that fails.
func (s *Store) transact(batch []*ticket, joining func(has int) []*ticket) (_ []*ticket, committed bool, err error) {
	watermark, singly := s.ledger.plan()
	var refusals []storage.Refusal
	if !s.space.short.Load() { // what room is left is for deletes
		refusals = s.refusals.take()
	}
	raise := watermark != s.ledger.watermark
	// After a failure an empty round writes something all the same, to see whether the disk is well again.
	probe := len(batch) == 0 && s.commitErr != nil
	if len(batch) == 0 && !raise && !probe && len(singly) == 0 && len(refusals) == 0 {
		return nil, true, nil
	}
	s.db.lock()
	defer s.db.mu.Unlock()
	before := s.db.conn.TotalChanges()
	defer func() {
		if err == nil && s.commitErr != nil && s.db.conn.TotalChanges() == before {
			return // nothing was written, so nothing is known of the disk
		}
		switch {
		case err == nil:
			s.commitErr, s.probes = nil, attempts{}
		case !errors.Is(err, sqlite3.CONSTRAINT): // else the metadata refuses one of the changes, and takes others
			s.commitErr = err
		}
		if err != nil {
			s.refusals.giveBack(refusals)
			if isDamage(err) {
				_ = s.noteFault(err)
			}
			s.failures.error(s.log, "changes could not be committed", "error", err)
			if s.probes.next.IsZero() {
				s.probes = s.probes.after(time.Now())
			}
		}
	}()
	begin := s.now().UnixMicro()
	r := &round{s: s, db: s.db, now: begin, nextReceipt: s.ledger.issued + 1}
	for _, t := range batch { // before anything fails: what an earlier round took is not given back
		t.reset()
	}
	err = s.db.run(sqlBegin)
	if err == nil {
		if raise {
			err = r.db.run(sqlWatermark, watermark)
			hooks.Failpoint("watermark-set")
		}
		if err == nil && probe {
			err = r.db.run(sqlProbe)
		}
		if err == nil {
			err = r.record(singly, refusals)
		}
		if err == nil {
			batch, err = r.applyAll(batch, joining)
		}
		if err == nil {
			failpointAt("commit", batch)
			began := time.Now()
			err = s.db.run(sqlCommit)
			failpointAt("committed", batch)
			s.stats.committed(len(batch), time.Since(began), err)
			if err != nil && !errors.Is(err, sqlite3.CONSTRAINT) { // else a reference to nothing: one of the changes
				err = fmt.Errorf("%w: %w", errCommit, err)
			}
		}
	}
	if err != nil {
		s.forgetRows(batch) // nothing has changed; a row that is read anew costs nothing
		err = errors.Join(err, s.db.rollback())
		for _, t := range batch {
			for _, taken := range t.taken {
				s.slots.Give(taken.slot, taken.whole)
			}
		}
		return batch, false, err
	}
	if raise {
		hooks.Failpoint("watermark-committed")
	}
	for _, e := range s.ledger.recorded(watermark) {
		s.slots.Give(e.slot, !e.holed)
	}
	s.names.add(r.added)
	s.forgetRows(batch)
	for _, t := range batch {
		s.ledger.intend(t.intended)
	}
	s.stats.intended(s.pending(), begin)
	return batch, true, nil
}

// record puts on record what belongs to no change.
func (r *round) record(singly []int64, refusals []storage.Refusal) error {
	for _, seq := range singly {
		if err := r.db.run(sqlReceiptDone, seq); err != nil {
			return err
		}
		hooks.Failpoint("receipt-done")
	}
	for _, refusal := range refusals {
		if err := r.auditRefusal(refusal); err != nil {
			return err
		}
	}
	return nil
}

// applyAll makes the batch's changes, and those that join them, in the transaction. It returns those it came to.
func (r *round) applyAll(batch []*ticket, joining func(has int) []*ticket) ([]*ticket, error) {
	for more := batch; ; {
		if err := r.apply(more); err != nil {
			return batch, err
		}
		if more = joining(len(batch)); len(more) == 0 {
			return batch, nil
		}
		for _, t := range more {
			t.reset()
		}
		batch = append(batch, more...)
		r.now = max(r.now, r.s.now().UnixMicro())
	}
}

func (r *round) apply(batch []*ticket) error {
	for _, t := range batch {
		failpointOf("apply", t)
		r.db.usersChanged = false
		t.err = t.work.apply(r, t)
		t.changesUsers = r.db.usersChanged
		if t.err != nil && !isAnswer(t.err) {
			return t.err
		}
		// SQLite ends a transaction by itself after some errors; nothing may be added to what is not there.
		if r.db.conn.GetAutocommit() {
			return errors.New("the transaction ended early")
		}
	}
	return nil
}

// isAnswer reports whether err is meant for the caller of one change, not a failure of the transaction.
func isAnswer(err error) bool {
	for _, answer := range []error{storage.ErrUserNotFound, storage.ErrOtherOrganization, storage.ErrOrganizationNotFound,
		storage.ErrOrganizationInUse, storage.ErrIssuerNotFound, storage.ErrIssuerInUse,
		storage.ErrConditionFailed, storage.ErrUnavailable} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}

// reserveRegions grows the slab where the batch needs more slots than are free. A class that cannot grow fails the
// uploads that need it, nobody else.
func (s *Store) reserveRegions(batch []*ticket) {
	var need [len(slab.ClassPages)]int
	for _, t := range batch {
		if c, ok := t.work.need(); ok {
			need[c]++
		}
	}
	for c := range need {
		s.learnSome(slab.Class(c), need[c])
		for s.slots.Free(slab.Class(c)) < int64(need[c]) {
			r := s.slots.Next(slab.Class(c))
			if !s.space.fit(&r) {
				s.space.cramped.Store(s.now().UnixNano())
				break
			}
			err := s.grow(r)
			if noRoom(err) {
				s.space.cramped.Store(s.now().UnixNano())
				break
			}
			s.space.cramped.Store(0)
			if err != nil {
				s.troubles.growth.Store(&fault{err: fmt.Errorf("the slab cannot grow: %w", err), at: s.now()})
				s.failures.error(s.log, "the slab cannot grow", "error", err)
				break
			}
			s.troubles.growth.Store(nil)
		}
	}
}

// maxLookUps is how many regions are looked at in one round for free slots. A new region costs about as much.
const maxLookUps = 4

// learnSome looks for free slots of a class in regions that nobody has looked at yet, when too few are known.
func (s *Store) learnSome(c slab.Class, need int) {
	for looks := 0; looks < maxLookUps && s.slots.Free(c) < int64(need); looks++ {
		r := s.slots.Unknown(c)
		if r == nil {
			return
		}
		if err := s.learnAlone(r); err != nil {
			s.log.Error("cannot look for free slots", "error", err)
			return
		}
	}
}

// learnAlone is learn between two transactions.
func (s *Store) learnAlone(r *slab.RegionSlots) error {
	s.db.lock()
	defer s.db.mu.Unlock()
	return s.learn(r)
}

// grow adds a region. Its pages are durable before the transaction that makes it known.
func (s *Store) grow(r slab.Region) error {
	hooks.Failpoint("grow-begin")
	s.trimmer.length = max(s.trimmer.length, r.End()*slab.PageBytes)
	if err := s.slab.Grow(r.First, r.SlotPages*r.Slots, s.commitErr == nil); err != nil {
		return err
	}
	hooks.Failpoint("grow-listed")
	s.db.lock()
	defer s.db.mu.Unlock()
	if !s.db.conn.GetAutocommit() { // the row would vanish with whatever is still open, and the region be given out twice
		return errors.New("a transaction has not ended")
	}
	if err := s.db.run(sqlAddRegion, r.First, r.SlotPages, r.Slots); err != nil {
		// A crash may leave it on record all the same: until a transaction has taken its place in the log, the file is not cut.
		s.commitErr = err
		return err
	}
	hooks.Failpoint("grow-recorded")
	s.measureSlab()
	return s.slots.Add(r, true)
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
