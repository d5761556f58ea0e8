//go:build wrongorder

package embedded

import (
	"errors"
	"os"
	"slices"
)

// wrongOrder is one of the orders in order.go, or empty for the right one: the variable WRONG_ORDER.
//
//nolint:forbidigo // no setting: it is decided before anything is opened, and only in builds that serve nobody
var wrongOrder = chooseOrder(os.Getenv("WRONG_ORDER"))

func chooseOrder(name string) string {
	if name == "" || slices.Contains(WrongOrders, name) {
		return name
	}
	panic("WRONG_ORDER: no such order: " + name)
}

// misorder is what a wrong order remembers from one pass over the slab to the next. Whoever holds slab.writing uses it.
type misorder struct {
	pass int
	late []lateErasure // on record, not overwritten
}

type lateErasure struct {
	erasure
	pass int // in which it was due
}

// apply is applyToSlots with its steps in a wrong order. The caller holds slab.writing.
func (m *misorder) apply(s *Store, l landing) landing {
	m.pass++
	var failed error
	if wrongOrder == orderEarlyAnswer {
		failed = s.slab.sync() // of the pass before, whose callers have their answers
	}
	if wrongOrder == orderBytesLater {
		failed = m.overwriteLate(s.slab, l.batch)
	}
	batch := slices.Clone(l.batch)
	if wrongOrder == orderEarlyReuse {
		slices.Reverse(batch) // the next owner's picture first, then the zeros for the one before
	}
	for _, t := range batch {
		if t.err != nil {
			continue
		}
		if t.write != nil {
			failed = errors.Join(failed, s.slab.write(t.write))
		}
		for _, e := range t.erase {
			if wrongOrder == orderBytesLater {
				m.late = append(m.late, lateErasure{e, m.pass})
			} else {
				failed = errors.Join(failed, s.slab.erase(e.slot, e.pages))
			}
			l.erased = append(l.erased, e)
		}
	}
	if wrongOrder != orderEarlyAnswer {
		failed = errors.Join(failed, s.slab.sync())
	}
	if failed != nil {
		l.erased = nil
		for _, t := range l.batch {
			t.slabErr = failed
		}
	}
	return l
}

// overwriteLate zeroes what was due two passes ago, and whatever is about to be another picture's place.
func (m *misorder) overwriteLate(slab *slab, batch []*ticket) (failed error) {
	m.late = slices.DeleteFunc(m.late, func(e lateErasure) bool {
		reused := slices.ContainsFunc(batch, func(t *ticket) bool { return t.write != nil && t.write.slot == e.slot })
		if !reused && e.pass > m.pass-2 {
			return false
		}
		failed = errors.Join(failed, slab.erase(e.slot, e.pages))
		return true
	})
	return failed
}

// allowWrongOrder takes from the schema what refuses the order.
func (db *database) allowWrongOrder() error {
	if wrongOrder != orderEarlyReuse {
		return nil
	}
	return db.conn.Exec(`DROP TRIGGER IF EXISTS generation_slot_reuse`)
}
