package memory

import (
	"context"
	"fmt"

	"example.org/avatard/storage"
)

func (s *store) AddOrganization(ctx context.Context, org string, by storage.Origin) (bool, error) {
	if err := s.enter(ctx, nil, org); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	state, known := s.orgs[org]
	if state.Refuses() && (!by.Readmits || s.has("readmits no organisations")) && !s.has("registers ended organisations") {
		return false, fmt.Errorf("%q: %w", org, storage.ErrOrganizationEnded)
	}
	created := !known || state.Refuses() || s.has("says created always")
	if s.orgs[org] = storage.Registered; created {
		s.note(storage.ActionRegister, org, "", by)
	}
	return created, nil
}

func (s *store) HasOrganization(ctx context.Context, org string) (bool, error) {
	if err := s.enter(ctx, nil); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	return s.hasOrganization(org), nil
}

func (st *state) hasOrganization(org string) bool {
	state, known := st.orgs[org]
	return known && state.On()
}

func (s *store) AddUser(ctx context.Context, u storage.UserKey, org string, by storage.Origin) (storage.Result, bool, error) {
	if err := s.enter(ctx, []string{u.Issuer}, u.ID, org); err != nil {
		return storage.Result{}, false, err
	}
	defer s.mu.Unlock()
	return s.add(u, org, by)
}

// add registers a user who is not registered, unless they or the organisation have ended.
func (s *store) add(u storage.UserKey, org string, by storage.Origin) (storage.Result, bool, error) {
	if s.has("registers the organisation of a refused user") {
		s.orgs[org] = storage.Registered
	}
	if e := s.users[s.key(u)]; e != nil && !s.has("registers anew") && !(s.orgs[org].Refuses() && s.has("refuses the users of ending organisations")) {
		if s.has("moves users") {
			e.res.Details.Organization = org
		}
		_, err := s.find(u, org)
		return e.res, false, err
	}
	if err := s.refusal(u, org, by); err != nil {
		return storage.Result{}, false, err
	}
	if _, known := s.orgs[org]; !known && !s.has("registers no organisation with a user") {
		s.orgs[org] = storage.Registered
	}
	s.note(storage.ActionRegister, org, u.ID, by)
	if res, ok := s.revive(u, org); ok {
		return res, true, nil
	}
	d := storage.Details{Sequence: 1, CreationDate: s.date(), ChangeDate: s.date(), Organization: org}
	s.users[s.key(u)] = &entry{res: storage.Result{Details: d}}
	return s.users[s.key(u)].res, true, nil
}

// refusal tells why a user who is not registered cannot be.
func (s *store) refusal(u storage.UserKey, org string, by storage.Origin) error {
	if s.orgs[org].Refuses() && !s.has("registers in ended organisations") && !(by.Readmits && s.has("readmits into ended organisations")) {
		return fmt.Errorf("%q: %w", org, storage.ErrOrganizationEnded)
	}
	if e := s.gone[s.key(u)]; e != nil && e.state == storage.Ended && !by.Readmits {
		return fmt.Errorf("%q: %w", u.ID, storage.ErrUserEnded)
	}
	return nil
}

// revive brings back a user who was taken off the record.
func (s *store) revive(u storage.UserKey, org string) (storage.Result, bool) {
	e := s.gone[s.key(u)]
	if e == nil {
		return storage.Result{}, false
	}
	delete(s.gone, s.key(u))
	s.users[s.key(u)] = e
	e.state, e.picture = storage.Registered, s.kept[s.key(u)]
	delete(s.kept, s.key(u))
	s.change(e)
	e.res.Details.CreationDate = s.date()
	if !s.has("brings users back where they were") {
		e.res.Details.Organization = org
	}
	return e.res, true
}
