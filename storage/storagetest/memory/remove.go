package memory

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"time"

	"example.org/avatard/storage"
)

// RemoveUser keeps the entry as one that is gone.
func (s *store) RemoveUser(ctx context.Context, rm storage.Removal) (storage.Result, error) {
	if s.has("takes users off the record before conditions") && ctx.Err() == nil {
		rm.If = storage.Condition{}
	}
	if s.has("takes users off the record in the named organisation only") {
		rm.AnyOrganization = false
	}
	if s.has("keeps the pictures of removed users") {
		s.mu.Lock()
		e := s.users[s.key(rm.User)]
		if e != nil && e.res.Details.Organization == rm.Organization {
			s.gone[s.key(rm.User)], s.kept[s.key(rm.User)] = e, e.picture
			delete(s.users, s.key(rm.User))
			s.change(e)
			defer s.mu.Unlock()
			return e.res, nil
		}
		s.mu.Unlock()
	}
	if err := s.enterRemoval(ctx, rm); err != nil {
		return storage.Result{}, err
	}
	defer s.mu.Unlock()
	if _, err := s.remove(rm); err != nil {
		return storage.Result{}, err
	}
	e := s.users[s.key(rm.User)]
	if s.has("takes users off the record in two steps") {
		before := e.res
		s.mu.Unlock()
		runtime.Gosched()
		s.mu.Lock()
		e.res = before
	}
	if !s.has("takes users off the record without counting") {
		s.change(e)
	}
	if !s.has("keeps removed users") {
		delete(s.users, s.key(rm.User))
	}
	if s.gone[s.key(rm.User)] = e; s.has("forgets removed users") {
		delete(s.gone, s.key(rm.User))
	}
	return e.res, nil
}

// revive brings a removed user back.
func (s *store) revive(u storage.UserKey, org string) (storage.Result, bool) {
	e := s.gone[s.key(u)]
	if e == nil {
		return storage.Result{}, false
	}
	delete(s.gone, s.key(u))
	s.users[s.key(u)] = e
	e.picture = s.kept[s.key(u)]
	delete(s.kept, s.key(u))
	s.change(e)
	e.res.Details.CreationDate = s.date()
	if !s.has("brings users back where they were") {
		e.res.Details.Organization = org
	}
	return e.res, true
}

func (s *store) RemoveOrganization(ctx context.Context, org string, _ storage.Origin) (bool, error) {
	if err := s.enter(ctx, nil, org); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	for _, e := range s.users {
		if e.res.Details.Organization == org && !s.has("removes organisations in use") {
			return false, fmt.Errorf("%q: %w", org, storage.ErrOrganizationInUse)
		}
	}
	removed := s.orgs[org] || s.has("says removed always")
	if !s.has("keeps removed organisations") {
		delete(s.orgs, org)
	}
	return removed, nil
}

func (s *store) Remove(ctx context.Context, rm storage.Removal) (storage.Result, error) {
	if err := s.enterRemoval(ctx, rm); err != nil {
		return storage.Result{}, err
	}
	defer s.mu.Unlock()
	return s.remove(rm)
}

func (s *store) enterRemoval(ctx context.Context, rm storage.Removal) error {
	if len(rm.By.Caller) > storage.MaxIDBytes && !s.has("takes long callers") {
		return storage.ErrInvalid
	}
	own := []string{rm.User.ID}
	if !rm.AnyOrganization {
		own = append(own, rm.Organization)
	}
	return s.enter(ctx, []string{rm.User.Issuer}, own...)
}

func (s *store) remove(rm storage.Removal) (storage.Result, error) {
	e, err := s.find(rm.User, rm.Organization)
	if errors.Is(err, storage.ErrOtherOrganization) && rm.AnyOrganization && !s.has("removes in the named organisation only") {
		e, err = s.users[s.key(rm.User)], nil
	}
	if err != nil {
		return storage.Result{}, err
	}
	if e.doomed != nil {
		return s.resume(rm.User, e)
	}
	generation := ""
	if e.picture != nil {
		generation = e.picture.Generation
	}
	holds := rm.If.HoldsForRemoval(generation)
	if s.has("removes nothing twice under a condition") {
		holds = rm.If.Holds(generation)
	}
	if !holds && !s.has("decides no conditions of removals") {
		return storage.Result{}, fmt.Errorf("remove: %w", storage.ErrConditionFailed)
	}
	if e.picture == nil {
		if s.has("counts every remove") {
			s.change(e)
		}
		if s.has("gives a receipt for every remove") {
			e.res.Receipt = random()
		}
		return e.res, nil
	}
	s.change(e)
	if s.broken && !s.has("says done while it cannot erase") {
		if !s.has("forgets what it could not finish") {
			e.doomed = e.picture
		}
		e.picture = nil
		return storage.Result{}, fmt.Errorf("remove: %w", storage.ErrUnavailable)
	}
	s.prove(rm.User, e, e.picture, storage.ReasonRemoved)
	if s.has("removes the same content everywhere") {
		data := e.picture.Data
		for _, other := range s.users {
			if other.picture != nil && bytes.Equal(other.picture.Data, data) {
				other.picture = nil
			}
		}
	}
	s.removed[s.key(rm.User)] = e.picture
	if !s.has("removes nothing") {
		e.picture = nil
	}
	return e.res, nil
}

// resume erases what could not be erased before.
func (s *store) resume(u storage.UserKey, e *entry) (storage.Result, error) {
	if s.broken {
		return storage.Result{}, fmt.Errorf("remove: %w", storage.ErrUnavailable)
	}
	s.prove(u, e, e.doomed, storage.ReasonRemoved)
	e.doomed = nil
	return e.res, nil
}

// receipt is the proof that a picture was erased.
type receipt struct {
	user       storage.UserKey
	generation [16]byte
	at         time.Time
	reason     int64
}

// prove notes that the picture of a user is erased. The receipt has the id of the picture.
func (s *store) prove(user storage.UserKey, e *entry, erased *storage.Picture, reason int64) {
	s.receipts = append(s.receipts, receipt{s.key(user), idOf(erased.Generation), s.date(), reason})
	if e.res.Receipt = erased.Generation; s.has("gives one receipt for all") {
		e.res.Receipt = "receipt"
	}
}

// idOf reads the id of a generation. A flaw may have made it anything.
func idOf(generation string) (id [16]byte) {
	b, _ := hex.DecodeString(generation)
	copy(id[:], b)
	return id
}
