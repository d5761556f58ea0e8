package embedded

import (
	"context"
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/receiptlog"
)

var _ storage.Prover = (*Store)(nil)

// ReceiptHead implements [storage.Prover].
func (s *Store) ReceiptHead(ctx context.Context) (storage.SignedHead, error) {
	head, err := s.sealAll(ctx)
	if err != nil {
		return storage.SignedHead{}, fmt.Errorf("head of the log of receipts: %w", err)
	}
	return head.SignedHead, nil
}

// sealAll seals what there is, in steps, and returns the head behind it.
func (s *Store) sealAll(ctx context.Context) (*sealedHead, error) {
	if err := s.queue.submit(ctx, &request{op: &sealStep{s: s, rows: sealRows}}); err != nil {
		return nil, err
	}
	return s.sealing.head.Load(), nil
}

// ProveReceipt implements [storage.Prover].
func (s *Store) ProveReceipt(ctx context.Context, id string) (storage.ReceiptProof, error) {
	proof, err := s.proveReceipt(ctx, id)
	if err != nil {
		return storage.ReceiptProof{}, fmt.Errorf("prove receipt: %w", err)
	}
	return proof, nil
}

func (s *Store) proveReceipt(ctx context.Context, id string) (proof storage.ReceiptProof, err error) {
	if err := ctx.Err(); err != nil {
		return proof, err
	}
	seq, err := s.findReceipt(ctx, id)
	if err != nil {
		return proof, err
	}
	head := s.sealing.head.Load()
	sealed, found, err := s.sealedReceipt(seq)
	if err == nil && (!found || head == nil || sealed.Index >= head.size) {
		if !s.erasures.proven(seq) {
			return proof, storage.ErrReceiptNotFound
		}
		if head, err = s.sealAll(ctx); err == nil {
			sealed, found, err = s.sealedReceipt(seq)
		}
	}
	if err == nil && (!found || sealed.gone) { // it was dropped meanwhile
		err = storage.ErrReceiptNotFound
	}
	if err != nil {
		return proof, err
	}
	hashes, err := receiptlog.ProveInclusion(ctx, keptHashes{s}, head.size, sealed.Index)
	if err != nil {
		return proof, err
	}
	text := receiptlog.FormatProof(*sealed.Leaf, sealed.Index, hashes, []byte(head.Text))
	if _, err := receiptlog.OpenProof(text, head.Key); err != nil {
		return proof, errAltered
	}
	return storage.ReceiptProof{Text: string(text), Key: head.Key, Salts: sealed.salts}, nil
}

// errAltered is for a proof that would prove nothing.
var errAltered = fmt.Errorf("%w: the log of receipts is not as it was sealed; run \"avatard receipts verify\"", storage.ErrDamaged)

// sealedReceipt returns the place of a receipt.
func (s *Store) sealedReceipt(seq int64) (sealed sealedReceipt, found bool, err error) {
	err = s.look(func(db *database) error {
		return db.once(sqlSealedReceipt, func(row *sqlite3.Stmt) bool {
			sealed, found = scanSealed(row), true
			return false
		}, seq)
	})
	return sealed, found, err
}

// ProveHistory implements [storage.Prover].
func (s *Store) ProveHistory(ctx context.Context, older int64) (storage.HistoryProof, error) {
	proof, err := s.proveHistory(ctx, older)
	if err != nil {
		return storage.HistoryProof{}, fmt.Errorf("prove history: %w", err)
	}
	return proof, nil
}

func (s *Store) proveHistory(ctx context.Context, older int64) (proof storage.HistoryProof, err error) {
	head := s.sealing.head.Load()
	if head == nil {
		if head, err = s.sealAll(ctx); err != nil {
			return proof, err
		}
	}
	hashes, err := receiptlog.ProveConsistency(ctx, keptHashes{s}, head.size, older)
	if errors.Is(err, receiptlog.ErrNoProof) {
		return proof, fmt.Errorf("%w: %d, it is of %d", storage.ErrNoHistory, older, head.size)
	}
	if err != nil {
		return proof, err
	}
	return storage.HistoryProof{Head: head.SignedHead, Hashes: hashes}, nil
}
