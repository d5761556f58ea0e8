package embedded

import (
	"errors"
	"time"

	"example.org/avatard/storage/embedded/internal/hooks"
)

// The second half of a group commit is what a committed batch does to slots. Slots are written and synced in the order of the
// transactions that decided on them; and a slot that a batch erases is given away with the next transaction at the
// earliest, because its erasure goes on record with that one.

// applied is a batch that comes back from the slab.
type applied struct {
	batch  []*request
	erased []erasure // gone, synced
}

// finishBatch notes in the pending erasures what a batch has done, and answers.
func (s *Store) finishBatch(l applied) {
	for _, e := range l.erased {
		s.erasures.finish(e)
	}
	for _, t := range l.batch {
		if t.slabErr != nil {
			s.erasures.fail(t.erase)
		}
	}
	s.judgeSlab(l.batch)
	finished := s.complete(l.batch, true, nil)
	s.report()
	s.reply(finished)
}

// judgeSlab records whether the slab can be written at all. When every change of a batch failed, the slab's first page is written again
// as it is: if that succeeds, only single pages are bad.
func (s *Store) judgeSlab(batch []*request) {
	failed, short := false, false
	for _, t := range batch {
		if t.err != nil || !t.touchesSlots() {
			continue
		}
		if t.slabErr == nil {
			s.slabErr = nil
			return
		}
		failed = true
		if len(t.erase) > 0 && noRoom(t.slabErr) && !short {
			short = true
			s.makeRoom() // for the next try
		}
	}
	if failed {
		s.slabErr = s.slab.Probe()
	}
}

// touchesSlots reports whether a batch changes any slot.
func touchesSlots(batch []*request) bool {
	for _, t := range batch {
		if t.err == nil && t.touchesSlots() {
			return true
		}
	}
	return false
}

func (t *request) touchesSlots() bool { return t.write != nil || len(t.erase) > 0 || len(t.scrub) > 0 }

// applyToSlots writes and zeroes the slots of a committed batch and makes that durable with one sync.
func (s *Store) applyToSlots(batch []*request) applied {
	l := applied{batch: batch}
	if !touchesSlots(batch) {
		return l
	}
	if done, ok := s.order.apply(s, l); ok {
		return done
	}
	var erased []erasure
	for _, t := range batch {
		if t.err != nil {
			continue
		}
		if t.write != nil {
			failpointOf("write", t)
			t.slabErr = s.slab.Write(t.write.slot, t.write.image, t.write.rest)
			failpointOf("written", t)
		}
		for _, e := range t.erase {
			// The slot is reserved for this erasure until it is on record, so no other picture can be in it here.
			failpointOf("zero", t)
			if err := s.eraseSlot(&e); err != nil {
				t.slabErr = errors.Join(t.slabErr, err)
				continue
			}
			failpointOf("zeroed", t)
			erased = append(erased, e)
		}
		for _, sp := range t.scrub {
			t.slabErr = errors.Join(t.slabErr, s.slab.ZeroBytes(sp))
		}
	}
	began := time.Now()
	err := s.slab.Sync()
	s.stats.synced(len(erased), time.Since(began), err)
	if err != nil {
		for _, t := range batch {
			if t.touchesSlots() {
				t.slabErr = errors.Join(t.slabErr, err)
			}
		}
		return l
	}
	failpointAt("synced", batch)
	l.erased = erased
	return l
}

// eraseSlot overwrites a slot with zeros. When an upload failed on a full disk, part of its slot may be a hole that cannot be written:
// then the blocks of the slot are given back instead, which needs no room and reads as zeros, too. A picture that was acknowledged has all
// blocks of its slot, and its bytes are always overwritten, never just given back.
func (s *Store) eraseSlot(e *erasure) error {
	err := s.slab.Zero(e.slot, e.pages)
	if err == nil || !e.abandoned || !isFull(err) {
		return err
	}
	if perr := s.slab.Punch(e.slot, e.pages); perr != nil {
		return errors.Join(err, perr)
	}
	hooks.Failpoint("abandon-holed")
	e.holed = true
	return nil
}
