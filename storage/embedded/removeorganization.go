package embedded

import (
	"context"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// RemoveOrganization implements [storage.Store]. The row stays, because users who are off the record refer to it.
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
	before := r.organizationState(w.org)
	if !before.On() {
		return nil
	}
	inUse := false
	err := r.db.rows(sqlOrganizationUser, func(*sqlite3.Stmt) bool { inUse = true; return false }, w.org)
	if err != nil {
		return err
	}
	if inUse {
		return fmt.Errorf("%w: %q", storage.ErrOrganizationInUse, w.org)
	}
	after := storage.Removed
	if before == storage.Ending {
		after = storage.Ended
	}
	if err := r.setOrganization(w.org, after); err != nil {
		return err
	}
	t.made = true
	return r.audit(storage.ActionRemoveOrganization, w.org, "", w.by)
}

func (w *removeOrganization) finished(t *request, _ bool, err error) bool {
	t.answer = unavailable(err)
	return false
}
