package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// Repairs are changes like any other: they go through the committer, and there, in the transaction right before the
// write, read the owner of the slot again. A finding that does not hold any more is left alone.

// repair is one repair. It may be called again after a transaction that failed.
type repair struct {
	s     *Store
	do    func(r *groupCommit, t *request) error
	moved bool
}

func (m *repair) slotClass() (slab.Class, bool) { return 0, false }

func (m *repair) apply(r *groupCommit, t *request) error {
	err := m.do(r, t)
	m.moved = errors.Is(err, errMoved) // before it has changed anything
	if m.moved {
		err = nil
	}
	if err == nil && m.s.commitErr != nil {
		err = r.db.run(sqlProbe)
	}
	return err
}

func (m *repair) finished(t *request, _ bool, err error) bool {
	t.answer = unavailable(err)
	if err == nil && m.moved {
		t.answer = errMoved
	}
	return false
}

// mend makes a repair that takes its turn among the changes of a user; uid 0 is for none.
func (c *checker) mend(ctx context.Context, uid int64, do func(r *groupCommit, t *request) error) error {
	var key *storage.UserKey
	if uid != 0 {
		var err error
		if key, err = c.userKey(ctx, uid); err != nil {
			return err
		}
	}
	return c.ask(ctx, &repair{s: c.s, do: do}, key)
}

// unchanged fails with errMoved when the row of a slot is not what it was.
func unchanged(r *groupCommit, row slotRow) error {
	now, err := r.db.slotRow(row.slot)
	if err == nil && now != row {
		err = errMoved
	}
	return err
}

// scrub zeroes what spans returns.
func (c *checker) scrub(spans func(r *groupCommit) ([]slab.Span, error), did string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		return did, c.mend(ctx, 0, func(r *groupCommit, t *request) error {
			free, err := spans(r)
			if err == nil {
				t.scrub = free
			}
			return err
		})
	}
}

// scrubSlot zeroes a slot without a living owner, or what is behind the picture in it.
func (c *checker) scrubSlot(r slab.Region, row slotRow, j judgement) func(context.Context) (string, error) {
	all := slab.Span{Off: row.slot * slab.PageBytes, N: r.SlotPages * slab.PageBytes}
	if j.what == slack {
		used := slab.HeaderBytes + row.size
		all = slab.Span{Off: all.Off + used, N: all.N - used}
	}
	return c.scrub(func(now *groupCommit) ([]slab.Span, error) {
		if there := c.s.slots.At(row.slot); there == nil || there.Region != r {
			return nil, errMoved // there are other slots by now
		}
		return []slab.Span{all}, unchanged(now, row)
	}, "zeroed")
}

// scrubOutside zeroes bytes from a page on that are in no region.
func (c *checker) scrubOutside(page, n int64) func(context.Context) (string, error) {
	return c.scrub(func(r *groupCommit) ([]slab.Span, error) {
		taken, err := r.db.taken(page, page+(n+slab.PageBytes-1)/slab.PageBytes) // a region was added
		if err == nil && taken {
			err = errMoved
		}
		return []slab.Span{{Off: page * slab.PageBytes, N: n}}, err
	}, "zeroed")
}

// cut cuts the file off behind the last region. The bytes there are zeros by then.
func (c *checker) cut(end int64) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		return "cut off", c.mend(ctx, 0, func(*groupCommit, *request) error {
			if max(c.s.slots.End, 1) != end {
				return errMoved
			}
			if c.s.commitErr != nil { // a region that is not known may be on record, see grow
				return fmt.Errorf("%w: %w", storage.ErrUnavailable, c.s.commitErr)
			}
			if err := c.s.slab.Cut(end); err != nil {
				return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
			}
			return nil
		})
	}
}

// owner reads the record of the user whose slot it is.
func (r *groupCommit) owner(uid int64) (u userRecord, err error) {
	err = r.db.rows(sqlUserByUID, func(row *sqlite3.Stmt) bool {
		u = scanUser(row, "")
		return false
	}, uid)
	if err == nil && u.uid == 0 {
		err = errMoved
	}
	return u, err
}

// noteRepair puts a repair on the user's record and into the audit trail.
func (c *checker) noteRepair(r *groupCommit, u *userRecord) error {
	key, _, err := r.db.userKey(u.uid)
	if err != nil {
		return err
	}
	if err := r.change(u); err != nil {
		return err
	}
	return r.audit(storage.ActionRepair, u.organization, key.ID, c.opt.By)
}

// forget erases the active generation of a picture that is missing, so that its user has no picture rather than a broken one.
func (c *checker) forget(row slotRow) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		return "erased; the user has no picture now", c.mend(ctx, row.uid, func(r *groupCommit, t *request) error {
			if err := unchanged(r, row); err != nil {
				return err
			}
			switch data, err := c.s.slab.Read(row.slot, row.id, row.size); {
			case err == nil:
				clear(data)
				return errMoved
			case !errors.Is(err, slab.ErrOtherGeneration) && !errors.Is(err, slab.ErrSpoilt):
				return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
			}
			u, err := r.owner(row.uid)
			if err != nil {
				return err
			}
			own := []generationRecord{{slot: row.slot, id: row.id, state: row.state, size: row.size}}
			if err := r.erase(t, &u, own, storage.ReasonLost); err != nil {
				return err
			}
			return c.noteRepair(r, &u)
		})
	}
}

// unlock takes a slot out of quarantine, if it can be zeroed by now.
func (c *checker) unlock(r slab.Region, row slotRow) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		w := &unlock{repair: repair{s: c.s}, erasure: erasure{receipt: row.receipt, slot: row.slot, pages: r.SlotPages}}
		return "zeroed; the slot is in use again", c.ask(ctx, w, nil)
	}
}

// finish erases a generation that is not worked on.
func (c *checker) finish(reg slab.Region, row slotRow) func(context.Context) (string, error) {
	if !reg.Begins(row.slot) {
		return nil // it is not known what to zero
	}
	return func(ctx context.Context) (string, error) {
		return "erased", c.mend(ctx, row.uid, func(r *groupCommit, t *request) error {
			if err := unchanged(r, row); err != nil {
				return err
			}
			l := &c.s.erasures
			if slices.ContainsFunc(l.finished, func(e erasure) bool { return e.slot == row.slot }) {
				return errMoved
			}
			u, err := r.owner(row.uid)
			if err != nil {
				return err
			}
			own := []generationRecord{{slot: row.slot, id: row.id, state: row.state, size: row.size, receipt: row.receipt}}
			if err := r.erase(t, &u, own, storage.ReasonAbandoned); err != nil {
				return err
			}
			if row.state == stateErasing {
				if !l.pending(row.receipt) {
					t.intended = append(t.intended, t.erase...)
				}
				return nil
			}
			return r.db.run(sqlUserReceipt, u.uid, u.receipt)
		})
	}
}

// userKey returns the user that has a number, so that a repair takes its turn among that user's changes.
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
