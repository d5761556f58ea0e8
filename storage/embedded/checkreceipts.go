package embedded

import (
	"context"
	"fmt"
	"slices"

	"github.com/ncruces/go-sqlite3"

	"avatard/storage"
)

// claim takes a certain slot out of the free ones, if it is among them.
func (s *slots) claim(c class, slot int64) bool {
	i := slices.Index(s.free[c], slot)
	if i < 0 {
		return false
	}
	s.free[c] = slices.Delete(s.free[c], i, i+1)
	return true
}

// newReceipt erases a generation once more whose receipt is lost, with a receipt that says that it was given up. When
// and why it was erased the first time is not known any more.
func (c *checker) newReceipt(reg region, row slotRow) func(context.Context) (string, error) {
	if !row.fits(reg) {
		return nil
	}
	return func(ctx context.Context) (string, error) {
		return "erased again, with a new receipt", c.mend(ctx, row.uid, func(r *round, t *ticket) error {
			if err := unchanged(r, row); err != nil {
				return err
			}
			class, _ := reg.class()
			if c.s.slots.claim(class, row.slot) { // it must not be given away meanwhile, nor come back twice
				t.taken = append(t.taken, slotTaken{class, row.slot})
			}
			u, err := r.owner(row.uid)
			if err != nil {
				return err
			}
			e := erasure{receipt: r.nextReceipt, slot: row.slot, class: class, since: r.now}
			r.nextReceipt++
			if err := r.db.exec(sqlAddReceipt, e.receipt, u.uid, row.id[:], r.now, int64(reasonAbandoned), u.receipt); err != nil {
				return err
			}
			set := `UPDATE generation SET receipt = ?2 WHERE slot = ?1`
			if err := r.db.look(set, func(*sqlite3.Stmt) bool { return true }, row.slot, e.receipt); err != nil {
				return err
			}
			t.erase, t.intended = append(t.erase, e), append(t.intended, e)
			return r.db.exec(sqlUserReceipt, u.uid, e.receipt)
		})
	}
}

// keepWord erases a generation that lives and has a receipt: somebody was told that it is gone.
type keepWord struct {
	mend
	class class
	slot  int64
	given bool // the slot may be given away
	back  bool // and was
}

func (c *checker) keepWord(row slotRow, receipt int64) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		const did = "erased, as the receipt says"
		reg, err := c.regionOf(ctx, row.slot)
		if err != nil {
			return did, err
		}
		class, ok := reg.class()
		if !ok || !row.fits(reg) || (row.slot-reg.first)%reg.slotPages != 0 {
			return did, fmt.Errorf("its row does not say what to zero")
		}
		var key storage.UserKey
		err = c.read(ctx, func(db *database) error {
			key, _, err = db.userKey(row.uid)
			return err
		})
		if err != nil {
			return did, err
		}
		w := &keepWord{mend: mend{s: c.s}, class: class, slot: row.slot}
		w.do = func(r *round, t *ticket) error {
			if w.given {
				if !w.back {
					w.back = true
					c.s.slots.give(class, row.slot)
				}
				return nil
			}
			return c.erasePromised(r, t, row, class, receipt)
		}
		return did, c.ask(ctx, w, &key)
	}
}

// erasePromised moves a generation to ERASING with the receipt that it has already, and zeroes its slot.
func (c *checker) erasePromised(r *round, t *ticket, row slotRow, class class, receipt int64) error {
	if err := unchanged(r, row); err != nil {
		return err
	}
	u, err := r.owner(row.uid)
	if err != nil {
		return err
	}
	if err := r.db.execOne(sqlErase, row.slot, row.id[:], receipt); err != nil {
		return err
	}
	now, err := r.db.slotRow(row.slot)
	if err != nil {
		return err
	}
	if now.recorded {
		t.scrub = append(t.scrub, span{row.slot * pageBytes, slotPages[class] * pageBytes})
	} else {
		e := erasure{receipt: receipt, slot: row.slot, class: class, since: r.now}
		t.erase, t.intended = append(t.erase, e), append(t.intended, e)
	}
	return c.noteRepair(r, &u)
}

// settled comes back once more to give the slot away, where the ledger does not do it: the receipt is on record.
func (w *keepWord) settled(t *ticket, committed bool, err error) bool {
	if err == nil && committed && len(t.scrub) > 0 {
		w.given = true
		return true
	}
	return w.mend.settled(t, committed, err)
}

// link makes a receipt the user's newest that follows the one which is now.
func (c *checker) link(uid, receipt, previous int64) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		return "it is the user's newest receipt now", c.mend(ctx, uid, func(r *round, _ *ticket) error {
			u, err := r.owner(uid)
			if err != nil {
				return err
			}
			if u.receipt != previous {
				return errMoved
			}
			return r.db.exec(sqlUserReceipt, uid, receipt)
		})
	}
}
