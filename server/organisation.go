package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"example.org/avatard/authz"
	"example.org/avatard/authz/limit"
	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
)

// inventedRate bounds how often one caller may act in organisations that are not registered here, where the provider is asked about
// each: a caller with a token could invent organisations, and their questions would delay those of other callers.
var inventedRate = limit.Rate{PerSecond: 5, Burst: 20}

// directory returns the source of organisations and their users, nil where only tokens and the store name them.
func (s *Server) directory() authz.Directory {
	d, _ := s.config.Permissions.(authz.Directory)
	return d
}

// findHome asks the directory, if there is one, which organisation a caller belongs to whose token does not say. It stays "" if the
// directory has none either.
func (s *Server) findHome(ctx context.Context, c *call) error {
	d := s.directory()
	if c.caller.Organization != "" || d == nil {
		return nil
	}
	home, err := d.Home(ctx, c.caller)
	if err != nil {
		return fmt.Errorf("look up the caller's organisation: %w", err)
	}
	c.caller.Organization = home
	return nil
}

// checkNamed refuses an unknown organisation that a header names, also one that has ended unless ended is true. Where there is a
// directory it decides about that later, when it is asked about the permission.
func (s *Server) checkNamed(ctx context.Context, org string, ended bool) error {
	if s.directory() != nil && ids.Valid(org) {
		return nil
	}
	registered, err := s.registered(ctx, org)
	if err == nil && !registered && ended && ids.Valid(org) {
		registered, err = s.hasEnded(ctx, org)
	}
	if err == nil && !registered {
		err = &apiError{reason: unknownOrganization}
	}
	return err
}

// hasEnded reports whether an organisation has ended here.
func (s *Server) hasEnded(ctx context.Context, org string) (bool, error) {
	state, err := s.config.Store.OrganizationState(ctx, org)
	if err != nil {
		err = fmt.Errorf("look up an end: %w", err)
	}
	return state == storage.Ended, err
}

// limitInvented counts a question about an organisation that is not registered here.
func (s *Server) limitInvented(ctx context.Context, c *call, org string) error {
	if s.directory() == nil {
		return nil
	}
	registered, err := s.registered(ctx, org)
	if err != nil || registered {
		return err
	}
	if wait, ok := s.invented.Allow(c.caller.Subject); !ok {
		return &apiError{reason: overLimit, retryAfter: wait}
	}
	return nil
}

// registerPermitted registers an organisation that is new here, once the provider has said that the caller may act in it. An
// error here does not fail the call, which finds nobody in such an organisation.
func (s *Server) registerPermitted(ctx context.Context, org string) {
	if s.directory() == nil {
		return
	}
	if registered, err := s.registered(ctx, org); err != nil || registered {
		return
	}
	c := callOf(ctx)
	_, err := s.config.Store.AddOrganization(ctx, org, c.origin())
	if err != nil && !errors.Is(err, storage.ErrOrganizationEnded) && s.hasLines(c, "") {
		s.config.Logger.LogAttrs(ctx, slog.LevelWarn, "an organisation could not be registered", slog.String("request", c.id), c.givenAttr(),
			slog.String("organisation", org), slog.String("error", c.printable(err.Error())))
	}
}

// registered reports whether an organisation is registered here.
func (s *Server) registered(ctx context.Context, org string) (bool, error) {
	registered, err := s.config.Store.HasOrganization(ctx, org)
	if err != nil {
		err = fmt.Errorf("look up organisation: %w", err)
	}
	return registered, err
}
