package move

import (
	"context"

	"example.org/avatard/storage"
)

// Put implements [storage.Store].
func (e *Engine) Put(ctx context.Context, up storage.Upload) (storage.Result, error) {
	s, err := e.enterMoved()
	if err != nil {
		return storage.Result{}, err
	}
	defer e.calls.RUnlock()
	return s.Put(ctx, up)
}

// AddUser implements [storage.Store].
func (e *Engine) AddUser(ctx context.Context, user storage.UserKey, org string, by storage.Origin) (storage.Result, bool, error) {
	s, err := e.enterMoved()
	if err != nil {
		return storage.Result{}, false, err
	}
	defer e.calls.RUnlock()
	return s.AddUser(ctx, user, org, by)
}

// MoveUser implements [storage.Store].
func (e *Engine) MoveUser(ctx context.Context, user storage.UserKey, org string, by storage.Origin) (storage.Result, bool, error) {
	s, err := e.enterMoved()
	if err != nil {
		return storage.Result{}, false, err
	}
	defer e.calls.RUnlock()
	return s.MoveUser(ctx, user, org, by)
}

// MoveIssuer implements [storage.Store].
func (e *Engine) MoveIssuer(ctx context.Context, from, to string, by storage.Origin) (bool, error) {
	s, err := e.enterMoved()
	if err != nil {
		return false, err
	}
	defer e.calls.RUnlock()
	return s.MoveIssuer(ctx, from, to, by)
}

// AddOrganization implements [storage.Store]. One that is registered, or that refuses to be, is no change: a server registers those of its
// configuration at each start.
func (e *Engine) AddOrganization(ctx context.Context, org string, by storage.Origin) (bool, error) {
	s, err := e.enter()
	if err != nil {
		return false, err
	}
	defer e.calls.RUnlock()
	if e.moved {
		return s.AddOrganization(ctx, org, by)
	}
	state, err := s.OrganizationState(ctx, org)
	switch {
	case err != nil || state == storage.Registered:
		return false, err
	case state.Refuses() && !by.Readmits:
		return false, storage.ErrOrganizationEnded
	}
	return false, errMoving
}

// EndOrganization implements [storage.Store]. One that is ending or has ended is no change: the erasure of its users goes on.
func (e *Engine) EndOrganization(ctx context.Context, org string, by storage.Origin) (bool, error) {
	s, err := e.enter()
	if err != nil {
		return false, err
	}
	defer e.calls.RUnlock()
	if e.moved {
		return s.EndOrganization(ctx, org, by)
	}
	if state, err := s.OrganizationState(ctx, org); err != nil || state.Refuses() {
		return false, err
	}
	return false, errMoving
}

// RemoveOrganization implements [storage.Store].
func (e *Engine) RemoveOrganization(ctx context.Context, org string, by storage.Origin) (bool, error) {
	s, err := e.enterMoved()
	if err != nil {
		return false, err
	}
	defer e.calls.RUnlock()
	return s.RemoveOrganization(ctx, org, by)
}

// HasOrganization implements [storage.Store].
func (e *Engine) HasOrganization(ctx context.Context, org string) (bool, error) {
	s, err := e.enter()
	if err != nil {
		return false, err
	}
	defer e.calls.RUnlock()
	return s.HasOrganization(ctx, org)
}

// OrganizationState implements [storage.Store].
func (e *Engine) OrganizationState(ctx context.Context, org string) (storage.RegistrationState, error) {
	s, err := e.enter()
	if err != nil {
		return storage.Removed, err
	}
	defer e.calls.RUnlock()
	return s.OrganizationState(ctx, org)
}

// Get implements [storage.Store].
func (e *Engine) Get(ctx context.Context, user storage.UserKey, org string) (storage.Picture, error) {
	s, err := e.enter()
	if err != nil {
		return storage.Picture{}, err
	}
	defer e.calls.RUnlock()
	return s.Get(ctx, user, org)
}

// Stat implements [storage.Store].
func (e *Engine) Stat(ctx context.Context, user storage.UserKey, org string) (storage.Info, error) {
	s, err := e.enter()
	if err != nil {
		return storage.Info{}, err
	}
	defer e.calls.RUnlock()
	return s.Stat(ctx, user, org)
}

// ListUsers implements [storage.Store].
func (e *Engine) ListUsers(ctx context.Context, q storage.UserQuery) (storage.UserPage, error) {
	s, err := e.enter()
	if err != nil {
		return storage.UserPage{}, err
	}
	defer e.calls.RUnlock()
	return s.ListUsers(ctx, q)
}

// ListOrganizations implements [storage.Store].
func (e *Engine) ListOrganizations(ctx context.Context, after string) ([]storage.ListedOrganization, error) {
	s, err := e.enter()
	if err != nil {
		return nil, err
	}
	defer e.calls.RUnlock()
	return s.ListOrganizations(ctx, after)
}

// ListReceipts implements [storage.Store].
func (e *Engine) ListReceipts(ctx context.Context, q storage.ReceiptQuery) (storage.ReceiptPage, error) {
	s, err := e.enter()
	if err != nil {
		return storage.ReceiptPage{}, err
	}
	defer e.calls.RUnlock()
	return s.ListReceipts(ctx, q)
}

// Receipt implements [storage.Store].
func (e *Engine) Receipt(ctx context.Context, id string) (storage.Receipt, error) {
	s, err := e.enter()
	if err != nil {
		return storage.Receipt{}, err
	}
	defer e.calls.RUnlock()
	return s.Receipt(ctx, id)
}

// ListAudit implements [storage.Store].
func (e *Engine) ListAudit(ctx context.Context, q storage.AuditQuery) (storage.AuditPage, error) {
	s, err := e.enter()
	if err != nil {
		return storage.AuditPage{}, err
	}
	defer e.calls.RUnlock()
	return s.ListAudit(ctx, q)
}

// RecordRefusal implements [storage.Store].
func (e *Engine) RecordRefusal(r storage.Refusal) {
	if s, err := e.enter(); err == nil {
		defer e.calls.RUnlock()
		s.RecordRefusal(r)
	}
}

// Ready implements [storage.Store].
func (e *Engine) Ready(ctx context.Context) error {
	s, err := e.enter()
	if err != nil {
		return err
	}
	defer e.calls.RUnlock()
	return s.Ready(ctx)
}

// Check implements [storage.Keeper]. It takes too long to be let in during the move.
func (e *Engine) Check(ctx context.Context, o storage.CheckOptions, found func(storage.Finding) error) (storage.CheckSummary, error) {
	s, err := e.enterMoved()
	if err != nil {
		return storage.CheckSummary{}, err
	}
	defer e.calls.RUnlock()
	return s.Check(ctx, o, found)
}

// Export implements [storage.Keeper]. It takes too long to be let in during the move.
func (e *Engine) Export(ctx context.Context, o storage.ExportOptions, to func(storage.Record) error) error {
	s, err := e.enterMoved()
	if err != nil {
		return err
	}
	defer e.calls.RUnlock()
	return s.Export(ctx, o, to)
}

// Stats implements [storage.Keeper].
func (e *Engine) Stats() storage.Stats {
	s, err := e.enter()
	if err != nil {
		return storage.Stats{}
	}
	defer e.calls.RUnlock()
	return s.Stats()
}

// ErasuresDone implements [storage.Keeper].
func (e *Engine) ErasuresDone(ctx context.Context) error {
	s, err := e.enter()
	if err != nil {
		return err
	}
	defer e.calls.RUnlock()
	return s.ErasuresDone(ctx)
}

// RoomForUploads implements [storage.Keeper].
func (e *Engine) RoomForUploads(ctx context.Context) error {
	s, err := e.enterMoved()
	if err != nil {
		return err
	}
	defer e.calls.RUnlock()
	return s.RoomForUploads(ctx)
}

// Issuers implements [storage.Keeper].
func (e *Engine) Issuers() ([]string, error) {
	s, err := e.enter()
	if err != nil {
		return nil, err
	}
	defer e.calls.RUnlock()
	return s.Issuers()
}

// OtherIssuers implements [storage.Keeper].
func (e *Engine) OtherIssuers(issuer string) []string {
	s, err := e.enter()
	if err != nil {
		return nil
	}
	defer e.calls.RUnlock()
	return s.OtherIssuers(issuer)
}
