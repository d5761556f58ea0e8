package memory

import (
	"context"
	"fmt"

	"example.org/avatard/storage"
)

func (s *store) MoveUser(ctx context.Context, u storage.UserKey, org string, by storage.Origin) (storage.Result, bool, error) {
	if err := s.enter(ctx, []string{u.Issuer}, u.ID, org); err != nil {
		return storage.Result{}, false, err
	}
	defer s.mu.Unlock()
	if s.has("registers the organisation of a move") {
		s.orgs[org] = storage.Registered
	}
	e := s.users[s.key(u)]
	switch {
	case !s.hasOrganization(org) && !s.has("moves users anywhere"):
		return storage.Result{}, false, fmt.Errorf("%q: %w", org, storage.ErrOrganizationNotFound)
	case e == nil:
		return storage.Result{}, false, fmt.Errorf("%q: %w", u.ID, storage.ErrUserNotFound)
	case e.res.Details.Organization == org && !s.has("counts every move"):
		return e.res, false, nil
	case s.orgs[org] == storage.Ending && !s.has("moves users into ending organisations"):
		return storage.Result{}, false, fmt.Errorf("%q: %w", org, storage.ErrOrganizationEnded)
	case s.has("says moved and does nothing"):
		return e.res, true, nil
	}
	if s.has("moves in two steps") {
		before := e.res
		s.letOthers()
		e.res = before
	}
	s.note(storage.ActionMoveFrom, e.res.Details.Organization, u.ID, by)
	s.note(storage.ActionMoveTo, org, u.ID, by)
	if e.res.Details.Organization = org; !s.has("moves without counting") {
		s.change(e)
	}
	if s.has("loses the picture in a move") {
		e.picture = nil
	}
	return e.res, true, nil
}
