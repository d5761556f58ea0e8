package embedded

import (
	"context"
	"fmt"

	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/hooks"
	"example.org/avatard/storage/embedded/internal/slab"
)

// EndOrganization implements [storage.Store].
func (s *Store) EndOrganization(ctx context.Context, org string, by storage.Origin) (ended bool, err error) {
	if !ids.Valid(org) || !by.Valid() {
		return false, fmt.Errorf("end organisation: %w: id", storage.ErrInvalid)
	}
	t := &request{op: &endOrganization{org: org, by: by}}
	if err := s.queue.submit(ctx, t); err != nil {
		return false, fmt.Errorf("end organisation: %w", err)
	}
	return t.made, nil
}

// endOrganization shares its group commit with registrations: those that are applied before it have users in the organisation, those after
// it are refused.
type endOrganization struct {
	org string
	by  storage.Origin
}

func (w *endOrganization) slotClass() (slab.Class, bool) { return 0, false }

func (w *endOrganization) apply(r *groupCommit, t *request) error {
	t.made = false
	switch state := r.organizationState(w.org); {
	case state.Refuses():
		return nil
	case !state.On():
		return fmt.Errorf("%w: %q", storage.ErrOrganizationNotFound, w.org)
	}
	if err := r.setOrganization(w.org, storage.Ending); err != nil {
		return err
	}
	hooks.Failpoint("end-organization-row")
	t.made = true
	return r.audit(storage.ActionEndOrganization, w.org, "", w.by)
}

func (w *endOrganization) finished(t *request, _ bool, err error) bool {
	t.answer = unavailable(err)
	return false
}

// OrganizationState implements [storage.Store].
func (s *Store) OrganizationState(ctx context.Context, org string) (storage.RegistrationState, error) {
	if s.queue.isClosed() {
		return storage.Removed, fmt.Errorf("%w: closed", storage.ErrUnavailable)
	}
	return s.registry.organization(org), ctx.Err()
}
