package move

import (
	"context"

	"example.org/avatard/storage"
)

// ReceiptHead implements [storage.Prover]. The log of the source ends with the move: the target has one of its own.
func (e *Engine) ReceiptHead(ctx context.Context) (storage.SignedHead, error) {
	s, err := e.enter()
	if err != nil {
		return storage.SignedHead{}, err
	}
	defer e.calls.RUnlock()
	return s.ReceiptHead(ctx)
}

// ProveReceipt implements [storage.Prover].
func (e *Engine) ProveReceipt(ctx context.Context, id string) (storage.ReceiptProof, error) {
	s, err := e.enter()
	if err != nil {
		return storage.ReceiptProof{}, err
	}
	defer e.calls.RUnlock()
	return s.ProveReceipt(ctx, id)
}

// ProveHistory implements [storage.Prover].
func (e *Engine) ProveHistory(ctx context.Context, older int64) (storage.HistoryProof, error) {
	s, err := e.enter()
	if err != nil {
		return storage.HistoryProof{}, err
	}
	defer e.calls.RUnlock()
	return s.ProveHistory(ctx, older)
}

// VerifyReceipts implements [storage.Prover]. It takes too long to be let in during the move.
func (e *Engine) VerifyReceipts(ctx context.Context, noted []string) (storage.ReceiptReport, error) {
	s, err := e.enterMoved()
	if err != nil {
		return storage.ReceiptReport{}, err
	}
	defer e.calls.RUnlock()
	return s.VerifyReceipts(ctx, noted)
}
