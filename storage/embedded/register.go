package embedded

import (
	"context"
	"errors"
	"fmt"

	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// AddOrganization implements [storage.Store].
func (s *Store) AddOrganization(ctx context.Context, org string, by storage.Origin) (created bool, err error) {
	if !ids.Valid(org) || !by.Valid() {
		return false, fmt.Errorf("add organisation: %w: id", storage.ErrInvalid)
	}
	t := &request{op: &addOrganization{org: org, by: by}}
	if err := s.queue.submit(ctx, t); err != nil {
		return false, fmt.Errorf("add organisation: %w", err)
	}
	return t.made, nil
}

type addOrganization struct {
	org string
	by  storage.Origin
}

func (w *addOrganization) slotClass() (slab.Class, bool) { return 0, false }

func (w *addOrganization) apply(r *groupCommit, t *request) (err error) {
	if r.organizationState(w.org) != storage.Registered {
		if err := r.s.takesNew(); err != nil {
			return err
		}
	}
	if t.made, err = r.addOrganization(w.org, w.by.Readmits); err != nil || !t.made {
		return err
	}
	return r.audit(storage.ActionRegister, w.org, "", w.by)
}

func (w *addOrganization) finished(t *request, _ bool, err error) bool {
	t.answer = unavailable(err)
	return false
}

// HasOrganization implements [storage.Store].
func (s *Store) HasOrganization(ctx context.Context, org string) (bool, error) {
	if s.queue.isClosed() {
		return false, fmt.Errorf("%w: closed", storage.ErrUnavailable)
	}
	return s.registry.organization(org).On(), ctx.Err()
}

// AddUser implements [storage.Store].
func (s *Store) AddUser(ctx context.Context, user storage.UserKey, org string, by storage.Origin) (storage.Result, bool, error) {
	if !user.Valid() || !ids.Valid(org) || !by.Valid() {
		return storage.Result{}, false, fmt.Errorf("add user: %w: id", storage.ErrInvalid)
	}
	t := &request{op: &addUser{user: user, org: org, by: by}, key: &user}
	if err := s.queue.submit(ctx, t); err != nil {
		return storage.Result{}, false, fmt.Errorf("add user: %w", err)
	}
	return t.result, t.made, nil
}

type addUser struct {
	user storage.UserKey
	org  string
	by   storage.Origin
}

func (w *addUser) slotClass() (slab.Class, bool) { return 0, false }

func (w *addUser) apply(r *groupCommit, t *request) error {
	u, err := r.user(w.user, w.org)
	t.made = errors.Is(err, storage.ErrUserNotFound)
	if t.made {
		if err := r.mayRegister(&u, w.user, w.org, w.by.Readmits); err != nil {
			return err
		}
		if err := r.s.takesNew(); err != nil {
			return err
		}
		u, err = r.register(u, w.user, w.org, w.by)
	}
	if err != nil {
		return err
	}
	t.result, err = r.result(&u)
	return err
}

func (w *addUser) finished(t *request, _ bool, err error) bool {
	t.answer = unavailable(err)
	return false
}
