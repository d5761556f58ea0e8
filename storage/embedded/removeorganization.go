package embedded

import (
	"context"
	"fmt"

	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// RemoveOrganization implements [storage.Store]. The row stays, marked as removed, because removed users refer to it.
func (s *Store) RemoveOrganization(ctx context.Context, org string, by storage.Origin) (removed bool, err error) {
	if !ids.Valid(org) || !by.Valid() {
		return false, fmt.Errorf("remove organisation: %w: id", storage.ErrInvalid)
	}
	t := &request{op: &removeOrganization{org: org, by: by}}
	if err := s.queue.submit(ctx, t); err != nil {
		return false, fmt.Errorf("remove organisation: %w", err)
	}
	return t.made, nil
}

type removeOrganization struct {
	org string
	by  storage.Origin
}

func (w *removeOrganization) slotClass() (slab.Class, bool) { return 0, false }

func (w *removeOrganization) apply(r *groupCommit, t *request) error {
	t.made = false
	if !r.hasOrganization(w.org) {
		return nil
	}
	// Not among the statements of serving: it looks through all users where there is none of this organisation.
	inUse, err := r.db.number(`SELECT 1 FROM user WHERE organization = ?1 AND removed = 0 LIMIT 1`, w.org)
	if err != nil {
		return err
	}
	if inUse != 0 {
		return fmt.Errorf("%w: %q", storage.ErrOrganizationInUse, w.org)
	}
	if err := r.db.run(sqlRemoveOrganization, w.org); err != nil {
		return err
	}
	r.nameOrganization(w.org, false)
	t.made = true
	return r.audit("organization-remove", "done", w.org, "", w.by)
}

func (w *removeOrganization) finished(t *request, _ bool, err error) bool {
	t.answer = unavailable(err)
	return false
}
