package faulty

import (
	"context"

	"example.org/avatard/storage"
)

// AddOrganization implements [storage.Store].
func (s *Store) AddOrganization(ctx context.Context, org string, by storage.Origin) (created bool, err error) {
	return around(ctx, s, AddOrganization, func() (bool, error) { return s.inner.AddOrganization(ctx, org, by) })
}

// HasOrganization implements [storage.Store].
func (s *Store) HasOrganization(ctx context.Context, org string) (bool, error) {
	return around(ctx, s, HasOrganization, func() (bool, error) { return s.inner.HasOrganization(ctx, org) })
}

// AddUser implements [storage.Store].
func (s *Store) AddUser(ctx context.Context, user storage.UserKey, org string, by storage.Origin) (storage.Result, bool, error) {
	d, err := around(ctx, s, AddUser, func() (d done, err error) {
		d.res, d.changed, err = s.inner.AddUser(ctx, user, org, by)
		return d, err
	})
	return d.res, d.changed, err
}

// MoveUser implements [storage.Store].
func (s *Store) MoveUser(ctx context.Context, user storage.UserKey, org string, by storage.Origin) (storage.Result, bool, error) {
	d, err := around(ctx, s, MoveUser, func() (d done, err error) {
		d.res, d.changed, err = s.inner.MoveUser(ctx, user, org, by)
		return d, err
	})
	return d.res, d.changed, err
}

// MoveIssuer implements [storage.Store].
func (s *Store) MoveIssuer(ctx context.Context, from, to string, by storage.Origin) (moved bool, err error) {
	return around(ctx, s, MoveIssuer, func() (bool, error) { return s.inner.MoveIssuer(ctx, from, to, by) })
}

// done is what a call returns that also tells whether it changed anything.
type done struct {
	res     storage.Result
	changed bool
}

// Put implements [storage.Store].
func (s *Store) Put(ctx context.Context, up storage.Upload) (storage.Result, error) {
	return around(ctx, s, Put, func() (storage.Result, error) { return s.inner.Put(ctx, up) })
}

// Remove implements [storage.Store].
func (s *Store) Remove(ctx context.Context, rm storage.Removal) (storage.Result, error) {
	return around(ctx, s, Remove, func() (storage.Result, error) { return s.inner.Remove(ctx, rm) })
}

// EraseUser implements [storage.Store].
func (s *Store) EraseUser(ctx context.Context, rm storage.Removal) (storage.Result, error) {
	return around(ctx, s, EraseUser, func() (storage.Result, error) { return s.inner.EraseUser(ctx, rm) })
}

// EndOrganization implements [storage.Store].
func (s *Store) EndOrganization(ctx context.Context, org string, by storage.Origin) (ended bool, err error) {
	return around(ctx, s, EndOrganization, func() (bool, error) { return s.inner.EndOrganization(ctx, org, by) })
}

// OrganizationState implements [storage.Store].
func (s *Store) OrganizationState(ctx context.Context, org string) (storage.RegistrationState, error) {
	return around(ctx, s, OrganizationState, func() (storage.RegistrationState, error) { return s.inner.OrganizationState(ctx, org) })
}

// RemoveOrganization implements [storage.Store].
func (s *Store) RemoveOrganization(ctx context.Context, org string, by storage.Origin) (removed bool, err error) {
	return around(ctx, s, RemoveOrganization, func() (bool, error) { return s.inner.RemoveOrganization(ctx, org, by) })
}

// Get implements [storage.Store].
func (s *Store) Get(ctx context.Context, user storage.UserKey, org string) (storage.Picture, error) {
	return around(ctx, s, Get, func() (storage.Picture, error) { return s.inner.Get(ctx, user, org) })
}

// Stat implements [storage.Store].
func (s *Store) Stat(ctx context.Context, user storage.UserKey, org string) (storage.Info, error) {
	return around(ctx, s, Stat, func() (storage.Info, error) { return s.inner.Stat(ctx, user, org) })
}

// RecordRefusal implements [storage.Store]. With FailBefore the note is lost, and no error says so.
func (s *Store) RecordRefusal(r storage.Refusal) {
	_, _ = around(context.Background(), s, RecordRefusal, func() (struct{}, error) {
		s.inner.RecordRefusal(r)
		return struct{}{}, nil
	})
}

// Ready implements [storage.Store].
func (s *Store) Ready(ctx context.Context) error {
	_, err := around(ctx, s, Ready, func() (struct{}, error) { return struct{}{}, s.inner.Ready(ctx) })
	return err
}

// Close implements [storage.Store]. One that fails before leaves the store open.
func (s *Store) Close() error {
	_, err := around(context.Background(), s, Close, func() (struct{}, error) { return struct{}{}, s.inner.Close() })
	return err
}
