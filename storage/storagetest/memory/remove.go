package memory

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"example.org/avatard/storage"
)

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
		if s.has("records removals of nothing") {
			s.note(storage.ActionRemove, e.res.Details.Organization, rm.User.ID, rm.By)
		}
		if s.has("counts every remove") {
			s.change(e)
		}
		if s.has("gives a receipt for every remove") {
			e.res.Receipt = random()
		}
		return e.res, nil
	}
	s.change(e)
	s.note(storage.ActionRemove, e.res.Details.Organization, rm.User.ID, rm.By)
	if s.broken && !s.has("says done while it cannot erase") {
		if !s.has("forgets what it could not finish") {
			e.doomed, e.by = e.picture, rm.By
		}
		if s.has("gives receipts before the erasure") {
			s.prove(rm.User, e, e.picture, storage.ReasonRemoved, rm.By)
		}
		e.picture = nil
		return storage.Result{}, fmt.Errorf("remove: %w", storage.ErrUnavailable)
	}
	s.prove(rm.User, e, e.picture, storage.ReasonRemoved, rm.By)
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
	s.prove(u, e, e.doomed, storage.ReasonRemoved, e.by)
	e.doomed = nil
	return e.res, nil
}

// prove notes that the picture of a user is erased. The receipt has the id of the picture.
func (s *store) prove(user storage.UserKey, e *entry, erased *storage.Picture, reason int64, by storage.Origin) {
	if by.Readmits = by.Readmits && s.has("notes who readmits"); s.has("forgets who erased") {
		by = storage.Origin{}
	}
	if s.has("forgets why") {
		reason = storage.ReasonRemoved
	}
	s.receipts = append(s.receipts, storage.Receipt{ID: erased.Generation, User: s.key(user), Organization: e.res.Details.Organization,
		Time: s.date(), Reason: reason, By: by})
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
