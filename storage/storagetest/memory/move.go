package memory

import (
	"context"
	"fmt"
	"runtime"

	"example.org/avatard/storage"
)

func (s *store) MoveUser(ctx context.Context, u storage.UserKey, org string, _ storage.Origin) (storage.Result, bool, error) {
	if err := s.enter(ctx, []string{u.Issuer}, u.ID, org); err != nil {
		return storage.Result{}, false, err
	}
	defer s.mu.Unlock()
	if s.has("registers the organisation of a move") {
		s.orgs[org] = true
	}
	e := s.users[s.key(u)]
	switch {
	case !s.orgs[org] && !s.has("moves users anywhere"):
		return storage.Result{}, false, fmt.Errorf("%q: %w", org, storage.ErrOrganizationNotFound)
	case e == nil:
		return storage.Result{}, false, fmt.Errorf("%q: %w", u.ID, storage.ErrUserNotFound)
	case e.res.Details.Organization == org && !s.has("counts every move"):
		return e.res, false, nil
	case s.has("says moved and does nothing"):
		return e.res, true, nil
	}
	if s.has("moves in two steps") {
		before := e.res
		s.mu.Unlock()
		runtime.Gosched()
		s.mu.Lock()
		e.res = before
	}
	if e.res.Details.Organization = org; !s.has("moves without counting") {
		s.change(e)
	}
	if s.has("loses the picture in a move") {
		e.picture = nil
	}
	return e.res, true, nil
}
