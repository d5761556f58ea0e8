package embedded

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// Remove implements [storage.Store].
func (s *Store) Remove(ctx context.Context, rm storage.Removal) (storage.Result, error) {
	if !validRemoval(rm) {
		return storage.Result{}, fmt.Errorf("remove: %w: id", storage.ErrInvalid)
	}
	t := &request{op: &remove{rm: rm}, key: &rm.User}
	if err := s.queue.submit(ctx, t); err != nil {
		return storage.Result{}, fmt.Errorf("remove picture: %w", err)
	}
	return t.result, nil
}

func validRemoval(rm storage.Removal) bool {
	return rm.User.Valid() && (rm.AnyOrganization || ids.Valid(rm.Organization)) && rm.By.Valid()
}

// remove erases the user's picture. It takes one group commit.
type remove struct {
	rm storage.Removal
}

func (w *remove) slotClass() (slab.Class, bool) { return 0, false }

func (w *remove) apply(r *groupCommit, t *request) error {
	u, gens, err := r.userAndGenerations(w.rm.User, w.rm.Organization, 0)
	if err != nil && !(w.rm.AnyOrganization && errors.Is(err, storage.ErrOtherOrganization)) {
		return err
	}
	if !w.rm.If.Empty() && !w.rm.If.HoldsForRemoval(activeGeneration(gens)) {
		return storage.ErrConditionFailed
	}
	if len(gens) > 0 {
		if err := r.s.logRoom(true); err != nil {
			return err
		}
		if err := r.erase(t, &u, gens, storage.ReasonRemoved); err != nil {
			return err
		}
	}
	switch {
	case slices.ContainsFunc(gens, func(g generationRecord) bool { return g.state == stateActive }):
		if err := r.change(&u); err != nil {
			return err
		}
		if err := r.audit(storage.ActionRemove, u.organization, w.rm.User.ID, w.rm.By); err != nil {
			return err
		}
	case len(t.intended) > 0: // remains of an upload that was not acknowledged: no change of the record
		if err := r.db.run(sqlUserReceipt, u.uid, u.receipt); err != nil {
			return err
		}
	}
	t.result, err = r.result(&u)
	return err
}

func (w *remove) finished(t *request, _ bool, err error) bool {
	t.answer = unavailable(err)
	return false
}

// activeGeneration returns the generation that is served, in the form that callers get, "" for none.
func activeGeneration(gens []generationRecord) string {
	for i := range gens {
		if gens[i].state == stateActive {
			return hex.EncodeToString(gens[i].id[:])
		}
	}
	return ""
}

// unavailable turns a failure of the engine into an error after which callers may try again.
func unavailable(err error) error {
	if err == nil || isAnswer(err) {
		return err
	}
	return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
}
