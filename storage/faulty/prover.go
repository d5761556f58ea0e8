package faulty

import (
	"context"

	"example.org/avatard/storage"
)

// ReceiptHead implements [storage.Store].
func (s *Store) ReceiptHead(ctx context.Context) (storage.SignedHead, error) {
	return around(ctx, s, ReceiptHead, func() (storage.SignedHead, error) { return s.inner.ReceiptHead(ctx) })
}

// ProveReceipt implements [storage.Store].
func (s *Store) ProveReceipt(ctx context.Context, id string) (storage.ReceiptProof, error) {
	return around(ctx, s, ProveReceipt, func() (storage.ReceiptProof, error) { return s.inner.ProveReceipt(ctx, id) })
}

// ProveHistory implements [storage.Store].
func (s *Store) ProveHistory(ctx context.Context, older int64) (storage.HistoryProof, error) {
	return around(ctx, s, ProveHistory, func() (storage.HistoryProof, error) { return s.inner.ProveHistory(ctx, older) })
}

// VerifyReceipts implements [storage.Store].
func (s *Store) VerifyReceipts(ctx context.Context, noted []string) (storage.ReceiptReport, error) {
	return around(ctx, s, VerifyReceipts, func() (storage.ReceiptReport, error) { return s.inner.VerifyReceipts(ctx, noted) })
}
