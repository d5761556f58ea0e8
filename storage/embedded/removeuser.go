package embedded

import (
	"context"
	"errors"
	"fmt"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/hooks"
)

// RemoveUser implements [storage.Store]. The user's row stays, marked as removed: receipts refer to it, and a user who comes back uses it
// again.
func (s *Store) RemoveUser(ctx context.Context, rm storage.Removal) (storage.Result, error) {
	if !validRemoval(rm) {
		return storage.Result{}, fmt.Errorf("remove user: %w: id", storage.ErrInvalid)
	}
	t := &request{op: &removeUser{remove: remove{rm: rm}}, key: &rm.User}
	if err := s.queue.submit(ctx, t); err != nil {
		return storage.Result{}, fmt.Errorf("remove user: %w", err)
	}
	return t.result, nil
}

// removeUser takes two group commits when there is something to erase: the first is that of remove, and once it has succeeded, another one
// takes the user off the record. So a user is never off the record while a byte may be left, and a call that failed can be repeated.
type removeUser struct {
	remove
	erased bool // the first group commit has succeeded
	gone   bool // the user is off the record once the group commit is durable
}

func (w *removeUser) apply(r *groupCommit, t *request) error {
	w.gone = false
	if !w.erased {
		if err := w.remove.apply(r, t); err != nil || len(t.erase) > 0 {
			return err
		}
	}
	u, err := r.user(w.rm.User, w.rm.Organization)
	if err != nil && !(w.rm.AnyOrganization && errors.Is(err, storage.ErrOtherOrganization)) {
		return err
	}
	u.sequence++
	u.changed = max(r.now, u.changed) // the clock may have been set back
	if err := r.db.run(sqlRemoveUser, u.uid, u.changed, u.sequence); err != nil {
		return err
	}
	hooks.Failpoint("remove-user-row")
	if err := r.audit("user-remove", "done", u.organization, w.rm.User.ID, w.rm.By); err != nil {
		return err
	}
	w.gone = true
	t.result, err = r.result(&u)
	return err
}

func (w *removeUser) finished(t *request, committed bool, err error) (again bool) {
	if committed && err == nil && !w.gone {
		w.erased = true
		return true
	}
	t.answer = unavailable(err)
	return false
}
