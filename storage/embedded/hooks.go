package embedded

import (
	"errors"
	"slices"

	"avatard/storage/embedded/internal/hooks"
	"avatard/storage/embedded/internal/slab"
)

// What the proofs of the guarantee reach into, see package hooks. None of it is in a program built without the tag failpoints.
var (
	// Failpoints are the places that a process passes with its disk well and no command running.
	Failpoints = hooks.Failpoints
	// WrongOrders are the wrong orders of steps, each of which a proof has to notice.
	WrongOrders = hooks.WrongOrders
)

// failpointAt is the place of every kind of change that is in the batch.
func failpointAt(place string, batch []*request) {
	if !hooks.On {
		return
	}
	if len(batch) == 0 {
		hooks.Failpoint("record-" + place)
	}
	var passed []string
	for _, t := range batch {
		if place == "synced" && (t.err != nil || t.write == nil && len(t.erase) == 0) {
			continue // shares the group commit with others that had something to sync
		}
		if kind := kindOf(t); kind != "" && !slices.Contains(passed, kind) {
			passed = append(passed, kind)
			hooks.Failpoint(kind + "-" + place)
		}
	}
}

// failpointOf is a place of one change.
func failpointOf(place string, t *request) {
	if !hooks.On {
		return
	}
	if kind := kindOf(t); kind != "" {
		hooks.Failpoint(kind + "-" + place)
	}
}

// failpointAnswer is a place around the answer to a caller.
func failpointAnswer(place string, t *request) {
	if !hooks.On {
		return
	}
	kind := kindOf(t)
	if _, ok := t.op.(*put); ok {
		kind = "upload"
	}
	if kind != "" {
		hooks.Failpoint(kind + "-" + place)
	}
}

// kindOf returns the first word of the failpoints that a change passes. The questions and repairs of a check have none: "".
func kindOf(t *request) string {
	switch w := t.op.(type) {
	case *put:
		return [...]string{stageReserve: "reserve", stageActivate: "activate", stageAbandon: "abandon"}[w.stage]
	case *remove:
		return "remove"
	case *removeUser:
		if w.erased {
			return "remove-user"
		}
		return "remove"
	case *addUser, *addOrganization:
		return "register"
	case *moveUser:
		return "move"
	case *pruneStep:
		return "prune"
	case *sweep:
		return "sweep"
	case *cutRegion:
		return "trim"
	case *quarantine:
		return "quarantine"
	}
	return ""
}

// misorder is what a wrong order remembers from one pass over the slab to the next.
type misorder struct {
	pass int
	late []lateErasure // on record, not overwritten
}

type lateErasure struct {
	erasure
	pass int // in which it was due
}

// apply is applyToSlots with its steps in a wrong order.
func (m *misorder) apply(s *Store, l applied) applied {
	m.pass++
	var failed error
	if hooks.WrongOrder == hooks.EarlyAnswer {
		failed = s.slab.Sync() // of the pass before, whose callers have their answers
	}
	if hooks.WrongOrder == hooks.BytesLater {
		failed = m.overwriteLate(s.slab, l.batch)
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
				m.late = append(m.late, lateErasure{e, m.pass})
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
	return l
}

// overwriteLate zeroes what was due two passes ago, and whatever is about to be another picture's place.
func (m *misorder) overwriteLate(s *slab.Slab, batch []*request) (failed error) {
	m.late = slices.DeleteFunc(m.late, func(e lateErasure) bool {
		reused := slices.ContainsFunc(batch, func(t *request) bool { return t.write != nil && t.write.slot == e.slot })
		if !reused && e.pass > m.pass-2 {
			return false
		}
		failed = errors.Join(failed, s.Zero(e.slot, e.pages))
		return true
	})
	return failed
}

// allowWrongOrder takes from the schema what refuses the order.
func (db *database) allowWrongOrder() error {
	if hooks.WrongOrder != hooks.EarlyReuse {
		return nil
	}
	return db.conn.Exec(`DROP TRIGGER IF EXISTS generation_slot_reuse`)
}
