package memory

import (
	"context"
	"fmt"

	"example.org/avatard/storage"
)

func (s *store) MoveIssuer(ctx context.Context, from, to string, by storage.Origin) (bool, error) {
	if err := s.enter(ctx, []string{from, to}); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	if from == to {
		return false, fmt.Errorf("the same issuer: %w", storage.ErrInvalid)
	}
	users := map[string]int{}
	for u := range s.users {
		users[u.Issuer]++
	}
	switch {
	case users[from] == 0 && s.became[from] == to:
		return false, nil
	case users[from] == 0:
		return false, fmt.Errorf("%q: %w", from, storage.ErrIssuerNotFound)
	case users[to] > 0 && !s.has("moves into an issuer in use"):
		return false, fmt.Errorf("%q: %w", to, storage.ErrIssuerInUse)
	case s.has("moves nobody of an issuer"):
		return true, nil
	}
	for u, e := range s.users {
		if u.Issuer != from {
			continue
		}
		if !s.has("keeps users of the old issuer") {
			delete(s.users, u)
		}
		if s.has("counts a move of the issuer") {
			s.change(e)
		}
		s.users[s.key(storage.UserKey{Issuer: to, ID: u.ID})] = e
	}
	s.note(storage.ActionIssuerMoveFrom, "", from, by)
	s.note(storage.ActionIssuerMoveTo, "", to, by)
	s.became[from] = to
	s.moveReceipts(from, to)
	return true, nil
}

// moveReceipts gives the receipts and the removed users of one issuer to another.
func (s *store) moveReceipts(from, to string) {
	for i, r := range s.receipts {
		if r.User.Issuer == from && !s.has("leaves receipts at the old issuer") {
			s.receipts[i].User.Issuer = to
		}
	}
	for u, e := range s.gone {
		switch {
		case u.Issuer == from && !s.has("leaves ended users at the old issuer"):
			delete(s.gone, u)
			s.gone[storage.UserKey{Issuer: to, ID: u.ID}] = e
		case u.Issuer == to && (s.users[u] != nil || s.has("forgets ended users of the new issuer")):
			delete(s.gone, u)
		}
	}
}
