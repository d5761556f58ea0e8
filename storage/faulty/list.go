package faulty

import (
	"context"

	"example.org/avatard/storage"
)

// ListUsers implements [storage.Store].
func (s *Store) ListUsers(ctx context.Context, q storage.UserQuery) (storage.UserPage, error) {
	return around(ctx, s, ListUsers, func() (storage.UserPage, error) { return s.inner.ListUsers(ctx, q) })
}

// ListOrganizations implements [storage.Store].
func (s *Store) ListOrganizations(ctx context.Context, after string) ([]storage.ListedOrganization, error) {
	return around(ctx, s, ListOrganizations, func() ([]storage.ListedOrganization, error) { return s.inner.ListOrganizations(ctx, after) })
}

// ListReceipts implements [storage.Store].
func (s *Store) ListReceipts(ctx context.Context, q storage.ReceiptQuery) (storage.ReceiptPage, error) {
	return around(ctx, s, ListReceipts, func() (storage.ReceiptPage, error) { return s.inner.ListReceipts(ctx, q) })
}

// Receipt implements [storage.Store].
func (s *Store) Receipt(ctx context.Context, id string) (storage.Receipt, error) {
	return around(ctx, s, Receipt, func() (storage.Receipt, error) { return s.inner.Receipt(ctx, id) })
}

// ListAudit implements [storage.Store].
func (s *Store) ListAudit(ctx context.Context, q storage.AuditQuery) (storage.AuditPage, error) {
	return around(ctx, s, ListAudit, func() (storage.AuditPage, error) { return s.inner.ListAudit(ctx, q) })
}
