package embedded

import (
	"bytes"
	"context"
	"errors"

	"github.com/ncruces/go-sqlite3"

	"avatard/storage"
)

// eraseAnew is the repair of a generation whose state and receipt do not go together: one that lives and has a receipt,
// one that is erased and has none. Its slot is zeroed, once more if need be, with the receipt that the user has of it; a
// new one, which says that the generation was given up, is made only where there is none.
type eraseAnew struct {
	mend
	given bool // the slot may be given away
	back  bool // and was
}

var errUnclear = errors.New("its row does not say what to zero")

// receipt is the one that the user has, 0 when that is not known.
func (c *checker) eraseAnew(row slotRow, receipt int64) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		const did = "erased"
		reg, err := c.regionOf(ctx, row.slot)
		if err != nil {
			return did, err
		}
		if !reg.begins(row.slot) {
			return did, errUnclear
		}
		key, err := c.userKey(ctx, row.uid)
		if err != nil {
			return did, err
		}
		if receipt == 0 {
			if receipt, err = c.receiptOf(ctx, row); err != nil {
				return did, err
			}
		}
		w := &eraseAnew{mend: mend{s: c.s}}
		w.do = func(r *round, t *ticket) error {
			switch {
			case !w.given:
				return c.erasePromised(r, t, row, receipt)
			case !w.back:
				w.back = true
				c.s.slots.give(row.slot, true)
			}
			return nil
		}
		return did, c.ask(ctx, w, key)
	}
}

// settled comes back once more to give the slot away where the ledger does not do it, because the receipt is on record.
func (w *eraseAnew) settled(t *ticket, committed bool, err error) bool {
	if err == nil && committed && len(t.scrub) > 0 {
		w.given = true
		return true
	}
	return w.mend.settled(t, committed, err)
}

// erasePromised moves a generation to ERASING, if it is not there, gives it the receipt and zeroes its slot.
func (c *checker) erasePromised(r *round, t *ticket, row slotRow, receipt int64) error {
	if err := unchanged(r, row); err != nil {
		return err
	}
	u, err := r.owner(row.uid)
	if err != nil {
		return err
	}
	matches, err := r.hasReceipt(receipt, row.uid, row.id[:])
	if err != nil || receipt != 0 && !matches {
		return errors.Join(err, errMoved)
	}
	region := c.s.slots.at(row.slot)
	if region == nil {
		return errMoved
	}
	if !region.known {
		if err := c.s.learn(region); err != nil {
			return err
		}
	}
	if whole, ok := c.s.slots.claim(row.slot); ok { // it must not be given away meanwhile, nor come back twice
		t.taken = append(t.taken, slotTaken{row.slot, whole})
	}
	e := erasure{receipt: receipt, slot: row.slot, pages: region.slotPages, since: r.now}
	if receipt == 0 {
		if e.receipt, err = r.addReceipt(&u, row.id); err != nil {
			return err
		}
	}
	if row.state == stateErasing {
		err = r.db.once(`UPDATE OR ROLLBACK generation SET receipt = ?2 WHERE slot = ?1`, nil, row.slot, e.receipt)
	} else {
		err = r.db.run(sqlErase, row.slot, row.id[:], e.receipt)
	}
	if err != nil {
		return err
	}
	now, err := r.db.slotRow(row.slot)
	if err != nil {
		return err
	}
	if now.recorded {
		t.scrub = append(t.scrub, span{row.slot * pageBytes, region.slotPages * pageBytes})
	} else {
		t.erase, t.intended = append(t.erase, e), append(t.intended, e)
	}
	return c.noteRepair(r, &u)
}

// addReceipt gives a user a receipt that says that a generation was given up.
func (r *round) addReceipt(u *userRecord, id generationID) (seq int64, err error) {
	previous := u.receipt
	if there, err := r.hasReceipt(previous, u.uid, nil); err != nil {
		return 0, err
	} else if !there { // it leads nowhere
		previous = 0
	}
	seq = r.nextReceipt
	r.nextReceipt++
	u.receipt, u.erased = seq, id
	return seq, r.db.run(sqlAddReceipt, seq, u.uid, id[:], r.now, int64(reasonLost), orNull(previous))
}

// hasReceipt reports whether a receipt is a user's, and of a generation unless that is nil.
func (r *round) hasReceipt(seq, uid int64, id []byte) (is bool, err error) {
	err = r.db.once(`SELECT generation FROM receipt WHERE seq = ?1 AND uid = ?2`, func(row *sqlite3.Stmt) bool {
		is = id == nil || bytes.Equal(row.ColumnRawBlob(0), id)
		return false
	}, seq, uid)
	return is, err
}

// receiptOf looks for the receipt of a generation in its user's chain, 0 for none. Receipts never change.
func (c *checker) receiptOf(ctx context.Context, row slotRow) (int64, error) {
	next := int64(0)
	err := c.read(ctx, func(db *database) error {
		return db.once(`SELECT ifnull(receipt, 0) FROM user WHERE uid = ?1`, func(row *sqlite3.Stmt) bool {
			next = row.ColumnInt64(0)
			return false
		}, row.uid)
	})
	for next != 0 && err == nil {
		var chain []receiptRow
		var broken bool
		chain, next, broken, err = c.receipts(ctx, next)
		for _, r := range chain {
			if r.generation == row.id && r.uid == row.uid {
				return r.seq, nil
			}
		}
		if broken {
			break
		}
	}
	return 0, err
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
			return r.db.run(sqlUserReceipt, uid, receipt)
		})
	}
}

// userKey returns who has a number, to take that user's turn.
func (c *checker) userKey(ctx context.Context, uid int64) (*storage.UserKey, error) {
	var key storage.UserKey
	err := c.read(ctx, func(db *database) (err error) {
		key, _, err = db.userKey(uid)
		return err
	})
	if err == nil && !key.Valid() {
		err = errors.New("the user is not there")
	}
	return &key, err
}
