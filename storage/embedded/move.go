package embedded

import (
	"context"
	"errors"
	"fmt"

	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/hooks"
	"example.org/avatard/storage/embedded/internal/slab"
)

// MoveUser implements [storage.Store].
func (s *Store) MoveUser(ctx context.Context, user storage.UserKey, org string, by storage.Origin) (storage.Result, bool, error) {
	if !user.Valid() || !ids.Valid(org) || !by.Valid() {
		return storage.Result{}, false, fmt.Errorf("move user: %w: id", storage.ErrInvalid)
	}
	t := &request{op: &moveUser{user: user, org: org, by: by}, key: &user}
	if err := s.queue.submit(ctx, t); err != nil {
		return storage.Result{}, false, fmt.Errorf("move user: %w", err)
	}
	return t.result, t.made, nil
}

// moveUser changes the organisation of a record. It waits behind the uploads and removals of the user like any other
// change, so none of them meets two organisations.
type moveUser struct {
	user storage.UserKey
	org  string
	by   storage.Origin
}

func (w *moveUser) slotClass() (slab.Class, bool) { return 0, false }

func (w *moveUser) apply(r *groupCommit, t *request) error {
	t.made = false
	state := r.organizationState(w.org)
	if !state.On() {
		return fmt.Errorf("%w: %q", storage.ErrOrganizationNotFound, w.org)
	}
	u, err := r.user(w.user, w.org)
	switch {
	case errors.Is(err, storage.ErrOtherOrganization) && state == storage.Ending:
		return fmt.Errorf("%w: %q", storage.ErrOrganizationEnded, w.org)
	case errors.Is(err, storage.ErrOtherOrganization):
		if err := r.move(&u, w.org, w.user.ID, w.by); err != nil {
			return err
		}
		t.made = true
	case err != nil:
		return err
	}
	t.result, err = r.result(&u)
	return err
}

func (w *moveUser) finished(t *request, _ bool, err error) bool {
	t.answer = unavailable(err)
	return false
}

// move puts a user into another organisation, as one change of the record. It is in the audit trail of both organisations.
func (r *groupCommit) move(u *userRecord, to, target string, by storage.Origin) error {
	from := u.organization
	u.organization = to
	u.sequence++
	u.changed = max(r.now, u.changed) // the clock may have been set back
	if err := r.db.run(sqlMoveUser, u.uid, u.organization, u.changed, u.sequence); err != nil {
		return err
	}
	hooks.Failpoint("move-row")
	if err := r.audit(storage.ActionMoveFrom, from, target, by); err != nil {
		return err
	}
	return r.audit(storage.ActionMoveTo, to, target, by)
}
