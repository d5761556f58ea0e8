package server

import (
	"context"
	"errors"
	"fmt"

	"example.org/avatard/authz/limit"
	"example.org/avatard/storage"
)

// lookUpRate bounds how often one caller may name users who are not registered here, where the directory is asked about each: somebody with
// a permission could invent users, and their questions would delay those of other callers.
var lookUpRate = limit.Rate{PerSecond: 20, Burst: 100}

// registerFound registers a user who is unknown here and whom the directory has in the organisation that the call acts on, in which the caller
// has been permitted. missed is the error of a change that did not find the user. When registerFound returns nil, the change can be made again;
// else its error is the answer, and that is missed wherever nothing has changed for this user.
//
// The directory brings nobody back who has ended, here or with their organisation, and moves nobody: the store refuses that.
func (s *Server) registerFound(ctx context.Context, user storage.UserKey, missed error) error {
	if s.config.UserDirectory == nil || !errors.Is(missed, storage.ErrUserNotFound) {
		return missed
	}
	c := callOf(ctx)
	if wait, ok := s.lookUps.Allow(c.caller.Subject); !ok {
		return &apiError{reason: overLimit, retryAfter: wait}
	}
	there, err := s.config.UserDirectory.HasUser(ctx, c.caller, c.organization, user.ID)
	if err != nil {
		return fmt.Errorf("look up user: %w", err)
	}
	if !there {
		return missed
	}
	_, _, err = s.config.Store.AddUser(ctx, user, c.organization, c.origin())
	switch {
	case errors.Is(err, storage.ErrUserEnded), errors.Is(err, storage.ErrOrganizationEnded), errors.Is(err, storage.ErrOtherOrganization):
		return missed
	}
	return err
}
