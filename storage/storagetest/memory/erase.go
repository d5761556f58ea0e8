package memory

import (
	"context"
	"fmt"

	"example.org/avatard/storage"
)

// EraseUser keeps the entry as that of somebody who has ended.
func (s *store) EraseUser(ctx context.Context, rm storage.Removal) (storage.Result, error) {
	if s.has("ends users before conditions") && ctx.Err() == nil {
		rm.If = storage.Condition{}
	}
	if s.has("ends users in the named organisation only") {
		rm.AnyOrganization = false
	}
	if err := s.enterRemoval(ctx, rm); err != nil {
		if s.has("counts ends that were abandoned") && ctx.Err() != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.change(s.users[s.key(rm.User)])
		}
		return storage.Result{}, err
	}
	defer s.mu.Unlock()
	if res, ended := s.tombstone(rm); ended {
		if s.has("decides conditions of tombstones") && !rm.If.HoldsForRemoval("") {
			return storage.Result{}, storage.ErrConditionFailed
		}
		return res, nil
	}
	picture := s.pictureOf(rm.User)
	if _, err := s.remove(rm); err != nil {
		return storage.Result{}, err
	}
	e := s.users[s.key(rm.User)]
	if s.has("ends users in two steps") {
		before := e.res
		s.letOthers()
		e.res = before
	}
	if !s.has("ends users without counting") {
		s.change(e)
	}
	if !s.has("keeps ended users") {
		delete(s.users, s.key(rm.User))
	}
	if s.has("keeps the pictures of ended users") && picture != nil {
		s.kept[s.key(rm.User)] = picture
	}
	if e.state = storage.Ended; s.has("forgets the end") {
		e.state = storage.Removed
	}
	if s.gone[s.key(rm.User)] = e; s.has("forgets ended users") {
		delete(s.gone, s.key(rm.User))
	}
	s.note(storage.ActionEraseUser, e.res.Details.Organization, rm.User.ID, rm.By)
	return e.res, nil
}

// tombstone returns the record of a user who has ended, in the organisation asked for.
func (s *store) tombstone(rm storage.Removal) (storage.Result, bool) {
	e := s.gone[s.key(rm.User)]
	if e == nil || s.users[s.key(rm.User)] != nil || e.state != storage.Ended || s.has("ends nobody twice") {
		return storage.Result{}, false
	}
	if !rm.AnyOrganization && e.res.Details.Organization != rm.Organization && !s.has("shows tombstones to every organisation") {
		return storage.Result{}, false
	}
	return e.res, true
}

func (s *store) pictureOf(u storage.UserKey) *storage.Picture {
	if e := s.users[s.key(u)]; e != nil {
		return e.picture
	}
	return nil
}

func (s *store) EndOrganization(ctx context.Context, org string, by storage.Origin) (bool, error) {
	if !by.Valid() && !s.has("takes long callers") {
		return false, storage.ErrInvalid
	}
	if err := s.enter(ctx, nil, org); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	switch state, known := s.orgs[org]; {
	case !known && !s.has("ends unknown organisations"):
		return false, fmt.Errorf("%q: %w", org, storage.ErrOrganizationNotFound)
	case state.Refuses() && !s.has("ends organisations again"):
		return false, nil
	}
	s.orgs[org] = storage.Ending
	s.note(storage.ActionEndOrganization, org, "", by)
	return true, nil
}

func (s *store) OrganizationState(ctx context.Context, org string) (storage.RegistrationState, error) {
	if err := s.enter(ctx, nil); err != nil {
		return storage.Removed, err
	}
	defer s.mu.Unlock()
	state, known := s.orgs[org]
	if !known {
		return storage.Removed, nil
	}
	return state, nil
}

func (s *store) RemoveOrganization(ctx context.Context, org string, by storage.Origin) (bool, error) {
	if err := s.enter(ctx, nil, org); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	for _, e := range s.users {
		if e.res.Details.Organization == org && !s.has("removes organisations in use") {
			return false, fmt.Errorf("%q: %w", org, storage.ErrOrganizationInUse)
		}
	}
	if !s.hasOrganization(org) {
		return s.has("says removed always"), nil
	}
	s.note(storage.ActionRemoveOrganization, org, "", by)
	switch {
	case s.has("keeps removed organisations"):
	case s.has("ends every removed organisation"), s.orgs[org] == storage.Ending && !s.has("forgets ended organisations"):
		s.orgs[org] = storage.Ended
	default:
		delete(s.orgs, org)
	}
	return true, nil
}
