//go:build failpoints

package embedded

import (
	"errors"
	"slices"

	"example.org/avatard/storage/embedded/internal/hooks"
	"example.org/avatard/storage/embedded/internal/slab"
)

// stepOrder is what a wrong order remembers from one pass over the slab to the next.
type stepOrder struct {
	pass int
	late []lateErasure // on record, not overwritten
}

type lateErasure struct {
	erasure
	pass int // in which it was due
}

// apply is applyToSlots with its steps in a wrong order; ok is false when none is chosen.
func (o *stepOrder) apply(s *Store, l applied) (done applied, ok bool) {
	if hooks.WrongOrder == "" {
		return l, false
	}
	o.pass++
	var failed error
	if hooks.WrongOrder == hooks.EarlyAnswer {
		failed = s.slab.Sync() // of the pass before, whose callers have their answers
	}
	if hooks.WrongOrder == hooks.BytesLater {
		failed = o.overwriteLate(s.slab, l.batch)
	}
	batch := slices.Clone(l.batch)
	if hooks.WrongOrder == hooks.EarlyReuse {
		slices.Reverse(batch) // the next owner's picture first, then the zeros for the one before
	}
	for _, t := range batch {
		if t.err != nil {
			continue
		}
		if t.write != nil {
			failed = errors.Join(failed, s.slab.Write(t.write.slot, t.write.image, t.write.rest))
		}
		for _, e := range t.erase {
			if hooks.WrongOrder == hooks.BytesLater {
				o.late = append(o.late, lateErasure{e, o.pass})
			} else {
				failed = errors.Join(failed, s.slab.Zero(e.slot, e.pages))
			}
			l.erased = append(l.erased, e)
		}
	}
	if hooks.WrongOrder != hooks.EarlyAnswer {
		failed = errors.Join(failed, s.slab.Sync())
	}
	if failed != nil {
		l.erased = nil
		for _, t := range l.batch {
			t.slabErr = failed
		}
	}
	return l, true
}

// overwriteLate zeroes what was due two passes ago, and the slots that this batch is about to write.
func (o *stepOrder) overwriteLate(s *slab.Slab, batch []*request) (failed error) {
	o.late = slices.DeleteFunc(o.late, func(e lateErasure) bool {
		reused := slices.ContainsFunc(batch, func(t *request) bool { return t.write != nil && t.write.slot == e.slot })
		if !reused && e.pass > o.pass-2 {
			return false
		}
		failed = errors.Join(failed, s.Zero(e.slot, e.pages))
		return true
	})
	return failed
}

// freedOnRecord returns the erasures whose slots become free when they go on record: none when freeEarly has freed them.
func freedOnRecord(freed []erasure) []erasure {
	if hooks.WrongOrder == hooks.EarlyReuse {
		return nil
	}
	return freed
}

// freeEarly gives away the slot of an erasure, or the space of it, with the intent.
func freeEarly(s *Store, e erasure) error {
	switch hooks.WrongOrder {
	case hooks.EarlyReuse:
		s.slots.Give(e.slot, true)
	case hooks.EarlyTrim:
		return s.slab.Punch(e.slot, e.pages)
	}
	return nil
}

// cutEarly cuts a region off the file before the metadata has forgotten it.
func cutEarly(s *slab.Slab, r slab.Region) error {
	if hooks.WrongOrder != hooks.EarlyTrim {
		return nil
	}
	return s.Cut(r.First)
}

// allowEarlyReuse drops the trigger that refuses the order.
func (db *database) allowEarlyReuse() error {
	if hooks.WrongOrder != hooks.EarlyReuse {
		return nil
	}
	return db.conn.Exec(`DROP TRIGGER IF EXISTS generation_slot_reuse`)
}
