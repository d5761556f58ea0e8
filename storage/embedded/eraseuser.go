package embedded

import (
	"context"
	"errors"
	"fmt"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/hooks"
)

// EraseUser implements [storage.Store]. The user's row is the tombstone: receipts refer to it, and a user who is readmitted uses it again.
func (s *Store) EraseUser(ctx context.Context, rm storage.Removal) (storage.Result, error) {
	if !validRemoval(rm) {
		return storage.Result{}, fmt.Errorf("erase user: %w: id", storage.ErrInvalid)
	}
	t := &request{op: &eraseUser{remove: remove{rm: rm}}, key: &rm.User}
	if err := s.queue.submit(ctx, t); err != nil {
		return storage.Result{}, fmt.Errorf("erase user: %w", err)
	}
	return t.result, nil
}

// eraseUser takes two group commits when there is something to erase: the first is that of remove, and once it has succeeded, another one
// ends the user. So a user has never ended while a byte may be left, and a call that failed can be repeated.
type eraseUser struct {
	remove
	erased bool // the first group commit has succeeded
	ended  bool // the user has ended once the group commit is durable, or long before
}

func (w *eraseUser) apply(r *groupCommit, t *request) error {
	w.ended = false
	if !w.erased {
		if err := w.remove.apply(r, t); err != nil || len(t.erase) > 0 {
			if errors.Is(err, storage.ErrUserNotFound) {
				return w.again(r, t, err)
			}
			return err
		}
	}
	u, err := r.user(w.rm.User, w.rm.Organization)
	if err != nil && !(w.rm.AnyOrganization && errors.Is(err, storage.ErrOtherOrganization)) {
		return err
	}
	u.sequence++
	u.changed = max(r.now, u.changed) // the clock may have been set back
	r.lastEnd++
	if err := r.db.run(sqlEndUser, u.uid, u.changed, u.sequence, r.lastEnd); err != nil {
		return err
	}
	hooks.Failpoint("erase-user-row")
	if err := r.audit(storage.ActionEraseUser, u.organization, w.rm.User.ID, w.rm.By); err != nil {
		return err
	}
	w.ended = true
	t.result, err = r.result(&u)
	return err
}

// again answers for a user who is not registered: with the tombstone, if there is one.
func (w *eraseUser) again(r *groupCommit, t *request, notFound error) error {
	u, err := r.user(w.rm.User, w.rm.Organization)
	if !errors.Is(err, storage.ErrUserNotFound) {
		return err
	}
	if u.state != storage.Ended || !w.rm.AnyOrganization && u.organization != w.rm.Organization {
		return notFound
	}
	w.ended = true
	t.result, err = r.result(&u)
	return err
}

func (w *eraseUser) finished(t *request, committed bool, err error) (again bool) {
	if committed && err == nil && !w.ended {
		w.erased = true
		return true
	}
	t.answer = unavailable(err)
	return false
}
