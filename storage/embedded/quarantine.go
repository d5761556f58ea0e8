package embedded

import "example.org/avatard/storage/embedded/internal/slab"

// quarantineTries is how often the sweep tries to zero a slot, while others can be zeroed, before it may go into quarantine. It takes
// seven seconds.
const quarantineTries = 3

// considerQuarantine takes a slot out of use that cannot be zeroed while others can, if its upload failed, so that its picture was never
// acknowledged. One bad page must not keep its user from uploading and deleting. 200 stays true, because the slot holds no byte of an
// acknowledged picture. The slot of an acknowledged picture is never given up.
func (s *Store) considerQuarantine(receipt int64, err error) {
	e, open := s.erasures.open[receipt]
	if !open || !e.abandoned {
		return
	}
	w := &quarantine{s: s, erasure: e}
	s.commitBatch([]*request{{op: w}})
	if w.err != nil {
		s.failures.error(s.log, "a slot could not be put into quarantine and will be tried again", "page", e.slot, "error", w.err)
		return
	}
	s.log.Error("a slot that cannot be overwritten is out of use; an upload that nobody was told of was to lie there",
		"page", e.slot, "pages", e.pages, "error", err)
}

// quarantine puts on record that a slot is out of use.
type quarantine struct {
	s *Store
	erasure
	err error
}

func (w *quarantine) slotClass() (slab.Class, bool) { return 0, false }

func (w *quarantine) apply(r *groupCommit, _ *request) error {
	return r.db.run(sqlQuarantine, w.slot, w.receipt, r.now)
}

func (w *quarantine) finished(_ *request, committed bool, err error) bool {
	if w.err = err; committed && err == nil {
		w.s.erasures.lock(w.receipt, w.slot)
	}
	return false
}

// shown returns the newest receipt of a chain that callers may be shown: not that of a slot in quarantine, whose bytes may be
// there. 0 for none.
func (r *groupCommit) shown(receipt int64) (int64, error) {
	for receipt != 0 {
		if _, locked := r.s.erasures.locked[receipt]; !locked {
			break
		}
		previous, err := r.db.number(`SELECT ifnull(previous, 0) FROM receipt WHERE seq = ?1`, receipt)
		if err != nil || previous == 0 {
			return 0, err
		}
		receipt = previous
	}
	return receipt, nil
}

// unlock takes a slot out of quarantine once it could be zeroed after all. It takes two group commits: the bytes, then the record.
type unlock struct {
	repair
	erasure
	zeroed bool
}

func (w *unlock) apply(r *groupCommit, t *request) error {
	if slot, locked := w.s.erasures.locked[w.receipt]; !locked || slot != w.slot {
		w.moved = true
		return nil
	}
	if !w.zeroed {
		t.scrub = append(t.scrub, slab.Span{Off: w.slot * slab.PageBytes, N: w.pages * slab.PageBytes})
		return nil
	}
	return r.db.once(`DELETE FROM quarantine WHERE slot = ?1`, nil, w.slot)
}

func (w *unlock) finished(t *request, committed bool, err error) bool {
	if err == nil && committed && !w.moved {
		if !w.zeroed {
			w.zeroed = true
			return true
		}
		w.s.erasures.unlock(w.erasure)
	}
	return w.repair.finished(t, committed, err)
}
