package embedded

import (
	"errors"
	"fmt"

	"example.org/avatard/storage/embedded/internal/hooks"
	"example.org/avatard/storage/embedded/internal/slab"
)

// reserveRegions grows the slab where the batch needs more slots than are free. When a class cannot grow, only the uploads that need it
// fail.
func (s *Store) reserveRegions(batch []*request) {
	var need [len(slab.ClassPages)]int
	for _, t := range batch {
		if c, ok := t.op.slotClass(); ok {
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
				s.faults.growth.Store(&fault{err: fmt.Errorf("the slab cannot grow: %w", err), at: s.now()})
				s.failures.error(s.log, "the slab cannot grow", "error", err)
				break
			}
			s.faults.growth.Store(nil)
		}
	}
}

// maxLookUps bounds the regions that one group commit searches for free slots. A new region costs about as much.
const maxLookUps = 4

// learnSome searches regions that were not searched yet for free slots of a class, when too few are known.
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
	if !s.db.conn.GetAutocommit() { // the row would vanish with the open transaction, and the region be given out twice
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
