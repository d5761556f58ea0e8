package embedded

import (
	"errors"
	"time"
)

// The second half of a round is what a committed batch does to slots. While nobody waits, the committer does it itself:
// a lone caller pays for no change of goroutines. When others have arrived meanwhile it goes to a goroutine of its own,
// and the next transaction runs beside it. One batch is there at a time, so slots are written and synced in the order
// of the transactions that decided on them; and a slot that a batch erases is given away two transactions later at the
// earliest, because its erasure goes on record in between.

// landing is a batch that comes back from the slab.
type landing struct {
	batch  []*ticket
	erased []erasure // gone, synced
	// answered tells that all went well for every change, and that each which is finished has been answered;
	// again holds the others.
	answered bool
	again    []*ticket
}

// dispatch brings a committed batch to the slab.
func (s *Store) dispatch(batch []*ticket, alone bool) {
	s.land(true)
	if !alone && touchesSlots(batch) && s.line.arrivals() > 0 {
		s.flying = true
		s.takeOff <- batch
		return
	}
	s.conclude(s.applyToSlots(batch))
}

// land takes back the batch that is with the slab, if there is one and it is done; with wait, it waits for it.
func (s *Store) land(wait bool) {
	if !s.flying {
		return
	}
	if wait {
		s.conclude(<-s.landed)
		return
	}
	select {
	case l := <-s.landed:
		s.conclude(l)
	default:
	}
}

// runSlab does the slab's work for batches that have company. Their callers are answered from here: the committer may
// be in the middle of a transaction.
func (s *Store) runSlab() {
	for batch := range s.takeOff {
		l := s.applyToSlots(batch)
		l.answered = true
		for _, t := range batch {
			l.answered = l.answered && t.slabErr == nil && t.err == nil
		}
		if l.answered {
			for _, t := range batch {
				if t.work.settled(t, true, nil) {
					l.again = append(l.again, t)
				} else {
					s.line.leave(t)
				}
			}
		}
		s.landed <- l
	}
}

// conclude notes in the ledger what a batch has done, and answers those who are not answered yet.
func (s *Store) conclude(l landing) {
	s.flying = false
	for _, e := range l.erased {
		s.ledger.finish(e)
	}
	if l.answered {
		s.again = append(s.again, l.again...)
		s.report()
		return
	}
	for _, t := range l.batch {
		if t.slabErr != nil {
			s.ledger.fail(t.erase)
		}
	}
	finished := s.settle(l.batch, true, nil)
	s.report()
	s.leave(finished)
}

// touchesSlots reports whether there is anything to do.
func touchesSlots(batch []*ticket) bool {
	for _, t := range batch {
		if t.err == nil && (t.write != nil || len(t.erase) > 0) {
			return true
		}
	}
	return false
}

// applyToSlots writes and zeroes the slots of a committed batch and makes that durable with one sync.
func (s *Store) applyToSlots(batch []*ticket) landing {
	l := landing{batch: batch}
	if !touchesSlots(batch) {
		return l
	}
	s.slab.writing.Lock()
	defer s.slab.writing.Unlock()
	var erased []erasure
	for _, t := range batch {
		if t.err != nil {
			continue
		}
		if t.write != nil {
			t.slabErr = s.slab.write(t.write.slot, t.write.image)
		}
		for _, e := range t.erase {
			// The slot is this erasure's until it is on record, which is why nobody else can own it here.
			if err := s.slab.erase(e.slot, slotPages[e.class]); err != nil {
				t.slabErr = errors.Join(t.slabErr, err)
				continue
			}
			erased = append(erased, e)
		}
	}
	began := time.Now()
	err := s.slab.sync()
	s.stats.synced(len(erased), time.Since(began), err)
	if err != nil {
		for _, t := range batch {
			if t.write != nil || len(t.erase) > 0 {
				t.slabErr = errors.Join(t.slabErr, err)
			}
		}
		return l
	}
	l.erased = erased
	return l
}
