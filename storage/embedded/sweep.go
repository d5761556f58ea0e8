package embedded

import (
	"slices"

	"github.com/ncruces/go-sqlite3"
)

// leftover is an upload that failed and could not even be moved to ERASING.
type leftover struct {
	uid  int64
	slot int64
	id   generationID
}

// sweep tries everything again that is due. It has a round of its own, so that no other change reads what it has only
// begun.
func (s *Store) sweep() {
	if s.commitErr != nil && s.stuck() == 0 {
		s.round(nil) // nobody may come by before Ready says that all is well
	}
	if s.stuck() > 0 {
		s.stats.retried(s.stuck())
		s.round([]*ticket{{work: &sweep{s: s}}})
	}
}

// sweep finishes what start-up found, what failed, and what callers left behind.
type sweep struct {
	s *Store
}

func (w *sweep) need() (class, bool) { return 0, false }

func (w *sweep) apply(r *round, t *ticket) error {
	for receipt := range w.s.ledger.failed {
		t.erase = append(t.erase, w.s.ledger.open[receipt])
	}
	for _, l := range w.s.leftovers {
		if err := w.abandon(r, t, l); err != nil {
			return err
		}
	}
	return nil
}

// abandon moves a leftover to ERASING, unless a later change of its user has done so.
func (w *sweep) abandon(r *round, t *ticket, l leftover) error {
	var u userRecord
	err := r.db.query(sqlUserByUID, func(row *sqlite3.Stmt) bool {
		u = scanUser(row, "")
		return false
	}, l.uid)
	if err != nil {
		return err
	}
	gens, err := r.generations(l.uid)
	if err != nil {
		return err
	}
	gens = slices.DeleteFunc(gens, func(g generationRecord) bool {
		return g.slot != l.slot || g.id != l.id || g.state != stateUploading
	})
	if len(gens) == 0 {
		return nil
	}
	if err := r.erase(t, &u, gens, reasonAbandoned); err != nil {
		return err
	}
	return r.db.exec(sqlUserReceipt, u.uid, u.receipt)
}

func (w *sweep) settled(_ *ticket, committed bool, err error) bool {
	if committed {
		w.s.leftovers = nil // now in the ledger
	}
	if err != nil {
		w.s.log.Error("erasures could not be finished and will be tried again", "count", w.s.stuck(), "error", err)
	}
	return false
}
