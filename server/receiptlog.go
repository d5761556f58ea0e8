package server

import (
	"context"
	"crypto/sha256"
	"sync/atomic"

	avatardv1 "example.org/avatard/gen/avatard/v1"
	"example.org/avatard/storage"
)

// sealing lets one call at a time have the store seal receipts, which writes. The calls that come meanwhile share the head after that one, so
// a crowd costs the store no more than two calls. All of them together cannot make it write more often than pictures are erased: where
// nothing was erased since, there is nothing to seal.
type sealing struct {
	turn   chan struct{} // has room for the one
	begun  atomic.Uint64 // heads that the store was asked for so far
	newest storage.SignedHead
	number uint64 // of the newest; both belong to who has the turn
}

func newSealing() *sealing { return &sealing{turn: make(chan struct{}, 1)} }

// take waits for the turn. Without an error done must be called.
func (s *sealing) take(ctx context.Context) (done func(), err error) {
	select {
	case s.turn <- struct{}{}:
		return func() { <-s.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// head returns a head that the store was asked for after the call began.
func (s *sealing) head(ctx context.Context, log storage.Prover) (storage.SignedHead, error) {
	before := s.begun.Load()
	done, err := s.take(ctx)
	if err != nil {
		return storage.SignedHead{}, err
	}
	defer done()
	if s.number > before {
		return s.newest, nil
	}
	number := s.begun.Add(1)
	head, err := log.ReceiptHead(ctx)
	if err == nil {
		s.newest, s.number = head, number
	}
	return head, err
}

// GetReceiptLog shows the head of the log, and that an older one is in its past.
func (e erasures) GetReceiptLog(ctx context.Context, req *avatardv1.GetReceiptLogRequest) (*avatardv1.GetReceiptLogResponse, error) {
	head, err := e.sealing.head(ctx, e.config.Store)
	if err != nil {
		return nil, err
	}
	res := &avatardv1.GetReceiptLogResponse{}
	if older := req.GetOlderSize(); older > 0 {
		proof, err := e.config.Store.ProveHistory(ctx, older)
		if err != nil {
			return nil, err
		}
		head = proof.Head
		for _, hash := range proof.Hashes {
			res.History = append(res.History, hash[:])
		}
	}
	res.Head, res.Key = head.Text, head.Key
	return res, nil
}

// proveReceipt proves a receipt that the caller may see.
func (e erasures) proveReceipt(ctx context.Context, id string) (*avatardv1.ReceiptProof, error) {
	done, err := e.sealing.take(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	proof, err := e.config.Store.ProveReceipt(ctx, id)
	if err != nil {
		return nil, err
	}
	return &avatardv1.ReceiptProof{Text: proof.Text, Key: proof.Key, UserSalt: saltBytes(proof.Salts.User),
		CallerSalt: saltBytes(proof.Salts.Caller), RequestSalt: saltBytes(proof.Salts.Request)}, nil
}

// saltBytes is nil for a salt that is not kept.
func saltBytes(s [sha256.Size]byte) []byte {
	if s == ([sha256.Size]byte{}) {
		return nil
	}
	return s[:]
}
