package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
	"example.org/avatard/storage/receiptlog"
)

var _ storage.Prover = (*Store)(nil)

// ReceiptHead implements [storage.Prover].
func (s *Store) ReceiptHead(ctx context.Context) (storage.SignedHead, error) {
	log, err := attend(ctx, s, s.sealedLog)
	if err != nil {
		return storage.SignedHead{}, fmt.Errorf("receipt head: %w", err)
	}
	return log.SignedHead, nil
}

// ProveReceipt implements [storage.Prover].
func (s *Store) ProveReceipt(ctx context.Context, id string) (storage.ReceiptProof, error) {
	proof, err := attend(ctx, s, func(ctx context.Context) (storage.ReceiptProof, error) { return s.proveReceipt(ctx, id) })
	if err != nil {
		return storage.ReceiptProof{}, fmt.Errorf("prove receipt: %w", err)
	}
	return proof, nil
}

// ProveHistory implements [storage.Prover].
func (s *Store) ProveHistory(ctx context.Context, older int64) (storage.HistoryProof, error) {
	proof, err := attend(ctx, s, func(ctx context.Context) (storage.HistoryProof, error) { return s.proveHistory(ctx, older) })
	if err != nil {
		return storage.HistoryProof{}, fmt.Errorf("prove history: %w", err)
	}
	return proof, nil
}

// attend runs a call about the log, whose errors become those of the contract.
func attend[T any](ctx context.Context, s *Store, call func(context.Context) (T, error)) (answer T, err error) {
	if err := s.enter(); err != nil {
		return answer, err
	}
	defer s.exit()
	answer, err = call(ctx)
	return answer, unavailable(ctx, err)
}

// sealedLog seals what is on record, and returns the log.
func (s *Store) sealedLog(ctx context.Context) (log openLog, err error) {
	if err := s.sealNow(ctx); err != nil {
		return log, err
	}
	log, err = s.readLog(ctx)
	if errors.Is(err, storage.ErrNotSealed) {
		if err = s.sealAll(ctx, sealing{begin: true}); err == nil {
			log, err = s.readLog(ctx)
		}
	}
	return log, err
}

// readLog returns the log as it is.
func (s *Store) readLog(ctx context.Context) (openLog, error) {
	row, err := readHeadRow(ctx, s.pool)
	if err != nil {
		return openLog{}, err
	}
	return row.open()
}

func (s *Store) proveReceipt(ctx context.Context, id string) (proof storage.ReceiptProof, err error) {
	gen, ok := generationOf("", id)
	if !ok {
		return proof, storage.ErrReceiptNotFound
	}
	r, err := s.sealedReceipt(ctx, gen)
	if errors.Is(err, storage.ErrReceiptNotFound) { // or not sealed yet
		if _, err = s.Receipt(ctx, id); err == nil {
			err = s.sealNow(ctx)
		}
		if err == nil {
			r, err = s.sealedReceipt(ctx, gen)
		}
	}
	if err != nil {
		return proof, err
	}
	log, err := s.readLog(ctx) // it has the receipt: places come with the head
	if err != nil {
		return proof, err
	}
	moves, err := s.issuerMovesFor(ctx, &r, nil)
	if err != nil {
		return proof, err
	}
	leaf := r.leaf(moves)
	hashes, err := receiptlog.ProveInclusion(ctx, keptHashes{s: s}, log.Size, r.place)
	if err != nil {
		return proof, err
	}
	if receiptlog.CheckInclusion(hashes, log.Head, r.place, leaf) != nil {
		return proof, &receiptlog.FaultError{Kind: receiptlog.Altered, Index: r.place, End: r.place + 1, Receipt: id}
	}
	proof = storage.ReceiptProof{Text: string(receiptlog.FormatProof(leaf, r.place, hashes, []byte(log.Text))), Key: log.Key, Salts: r.salts()}
	if r.issuer != r.issuerNow { // the text that was sealed is not the one that the receipt has
		proof.Salts.User = receiptlog.Salt{}
	}
	return proof, nil
}

// sealedReceipt reads a receipt that has its place; storage.ErrReceiptNotFound where it has none.
func (s *Store) sealedReceipt(ctx context.Context, gen generationID) (r sealedReceipt, err error) {
	rows, err := s.pool.Query(ctx, sqlSealedOne, gen)
	if err != nil {
		return r, err
	}
	found, err := r.scan(rows)
	switch {
	case err != nil:
		return r, err
	case len(found) == 0 || found[0].gen == nil:
		return r, storage.ErrReceiptNotFound
	}
	return found[0], nil
}

func (s *Store) proveHistory(ctx context.Context, older int64) (proof storage.HistoryProof, err error) {
	log, err := s.sealedLog(ctx)
	switch {
	case err != nil:
		return proof, err
	case older < 0 || older > log.Size:
		return proof, fmt.Errorf("%w: %d of %d", storage.ErrNoHistory, older, log.Size)
	}
	proof.Head = log.SignedHead
	proof.Hashes, err = receiptlog.ProveConsistency(ctx, keptHashes{s: s}, log.Size, older)
	return proof, err
}

// keptHashes reads hashes of the log.
type keptHashes struct {
	s       *Store
	lenient bool // one that is gone is read as zero, which a walk takes for one that was altered
}

// Hashes implements [receiptlog.HashReader].
func (k keptHashes) Hashes(ctx context.Context, numbers []int64) ([]receiptlog.Hash, error) {
	rows, err := k.s.pool.Query(ctx, `SELECT number, hash FROM receipt_hash WHERE number = ANY($1)`, numbers)
	if err != nil {
		return nil, err
	}
	found := make(map[int64]receiptlog.Hash, len(numbers))
	var number int64
	var hash []byte
	_, err = pgx.ForEachRow(rows, []any{&number, &hash}, func() error {
		found[number] = thirtyTwo(hash)
		return nil
	})
	if err != nil {
		return nil, err
	}
	hashes := make([]receiptlog.Hash, len(numbers))
	for i, n := range numbers {
		var ok bool
		if hashes[i], ok = found[n]; !ok && !k.lenient {
			return nil, fmt.Errorf("hash %d of the log of receipts is not there", n)
		}
	}
	return hashes, nil
}
