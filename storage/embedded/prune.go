package embedded

import (
	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/hooks"
	"example.org/avatard/storage/embedded/internal/slab"
)

// pruneStep removes some records that have reached their age.
//
// Each table is read in the order of its numbers, from the oldest on, up to the first record that is not old. The newest record of each
// always stays, so that a number is never given twice.
type pruneStep struct {
	s      *Store
	room   int // for rows to look at or to remove
	more   bool
	failed bool
	gone   pruned

	changes, refusals, origins int64 // how far the step has come
}

func (w *pruneStep) slotClass() (slab.Class, bool) { return 0, false }

func (w *pruneStep) apply(r *groupCommit, _ *request) (err error) {
	keep, p := w.s.pruning.keep, &w.s.pruning
	w.room, w.more, w.gone = pruneRows, false, pruned{}
	w.changes, w.refusals, w.origins = p.changes, p.refusals, p.origins
	if keep.Receipts > 0 {
		if err := w.receipts(r, r.cutoff(keep.Receipts)); err != nil {
			return err
		}
	}
	if keep.Changes > 0 && !w.more {
		if w.gone.changes, err = w.trail(r, &w.changes, sqlOldAudit, sqlDropAudit, r.cutoff(keep.Changes)); err != nil {
			return err
		}
	}
	if keep.Changes > 0 && !w.more { // what else has the texts of changes
		if _, err = w.trail(r, &w.origins, sqlOldOrigins, sqlDropOrigins, r.cutoff(keep.Changes)); err != nil {
			return err
		}
	}
	if keep.RefusalRows > 0 && !w.more {
		if err := w.overflow(r, keep.RefusalRows); err != nil {
			return err
		}
	}
	if keep.Refusals > 0 && !w.more {
		n, err := w.trail(r, &w.refusals, sqlOldRefusals, sqlDropRefusals, r.cutoff(keep.Refusals))
		w.gone.refusals += n
		return err
	}
	return nil
}

func (w *pruneStep) finished(_ *request, committed bool, err error) (again bool) {
	if w.failed = err != nil || !committed; !w.failed {
		p := &w.s.pruning
		p.changes, p.refusals, p.origins = w.changes, w.refusals, w.origins
		p.pass.add(w.gone)
		w.s.stats.pruned(w.gone)
	}
	return false
}

// trail removes records of a table of the audit trail after one, which it moves on. Records that are dated in the future, because a clock
// was wrong, stay and do not stop it.
func (w *pruneStep) trail(r *groupCommit, at *int64, list, drop statement, cutoff int64) (gone int64, err error) {
	after, rows, young := *at, 0, false
	err = r.db.rows(list, func(row *sqlite3.Stmt) bool {
		if time := row.ColumnInt64(1); cutoff <= time && time <= r.now {
			young = true
			return false
		}
		rows++
		*at = row.ColumnInt64(0)
		return true
	}, after, int64(w.room))
	if err != nil || rows == 0 {
		return 0, err
	}
	w.more = !young && rows == w.room
	w.room -= rows
	if err := r.forgetTexts(drop, after, *at, cutoff); err != nil {
		return 0, err
	}
	if err := r.db.run(drop, after, *at, cutoff); err != nil {
		return 0, err
	}
	hooks.Failpoint("prune-trail")
	return r.db.conn.Changes(), nil
}

// overflow removes the oldest refusals beyond a number of them. Their numbers are consecutive, except for those removed before.
func (w *pruneStep) overflow(r *groupCommit, limit int64) error {
	var first, last int64
	err := r.db.rows(sqlRefusalRange, func(row *sqlite3.Stmt) bool {
		first, last = row.ColumnInt64(0), row.ColumnInt64(1)
		return false
	})
	if over := last - first + 1 - limit; err != nil || over <= 0 {
		return err
	}
	to := min(last-limit, first+int64(w.room)-1)
	w.more = to < last-limit
	if err := r.db.run(sqlDropRefusals, first-1, to, int64(storage.MaxTime)); err != nil {
		return err
	}
	hooks.Failpoint("prune-refusals")
	w.gone.refusals = r.db.conn.Changes()
	w.room = max(1, w.room-int(w.gone.refusals))
	return nil
}

// oldReceipt is a receipt that may go.
type oldReceipt struct {
	seq, uid, time, previous int64
	newest                   bool
}

// receipts removes receipts after the last one that was examined. The newest one of each user stays; one that stayed for that reason
// before goes when a newer one stays. So the rest of a user's chain is always its end.
func (w *pruneStep) receipts(r *groupCommit, cutoff int64) error {
	var from, watermark, horizon int64
	if err := r.db.rows(sqlPruned, func(row *sqlite3.Stmt) bool {
		from, horizon, watermark = row.ColumnInt64(0), row.ColumnInt64(1), row.ColumnInt64(2)
		return false
	}); err != nil {
		return err
	}
	var old []oldReceipt
	if err := r.db.rows(sqlOldReceipts, func(row *sqlite3.Stmt) bool {
		o := oldReceipt{seq: row.ColumnInt64(0), uid: row.ColumnInt64(1), time: row.ColumnInt64(2), previous: row.ColumnInt64(3), newest: row.ColumnBool(4)}
		if o.time >= cutoff {
			return false
		}
		old = append(old, o)
		return true
	}, from, watermark, int64(w.room/4)); err != nil { // each may take another one with it, and both their slots' rows
		return err
	}
	if len(old) == 0 {
		return nil
	}
	for _, o := range old {
		before := w.gone.receipts
		if 0 < o.previous && o.previous <= from {
			if err := w.dropReceipt(r, o.previous, o.uid); err != nil {
				return err
			}
		}
		if !o.newest {
			if err := w.dropReceipt(r, o.seq, o.uid); err != nil {
				return err
			}
		}
		if w.gone.receipts > before {
			horizon = max(horizon, o.time+1)
		}
	}
	w.more = len(old) == w.room/4
	w.room = max(1, w.room-4*len(old))
	if err := r.db.run(sqlSetPruned, old[len(old)-1].seq, horizon); err != nil {
		return err
	}
	hooks.Failpoint("prune-receipts")
	return nil
}

// dropReceipt removes a receipt, if it is there, and the row of the slot that was erased with it: the slot is as free as one that was
// never used. A slot that is out of use keeps both.
func (w *pruneStep) dropReceipt(r *groupCommit, seq, uid int64) error {
	if err := r.db.run(sqlDropGeneration, uid, seq); err != nil {
		return err
	}
	hooks.Failpoint("prune-generation")
	if err := r.db.run(sqlDropReceipt, seq, uid); err != nil {
		return err
	}
	gone := r.db.conn.Changes()
	w.gone.receipts += gone
	hooks.Failpoint("prune-receipt")
	if gone == 0 {
		return nil
	}
	return r.db.run(sqlDropSealed, seq)
}
