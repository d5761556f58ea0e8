package memory

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"

	"example.org/avatard/storage"
	"example.org/avatard/storage/receiptlog"
)

// proofLog is the log of receipts.
type proofLog struct {
	key      ed25519.PrivateKey
	origin   string
	rows     []sealed // by their places
	hashes   []receiptlog.Hash
	frontier receiptlog.Frontier
	signed   storage.SignedHead
}

// sealed is a receipt in the log.
type sealed struct {
	receipt int    // its place among those of the store
	issuer  string // that of its user at that time
	salt    receiptlog.Salt
}

// Hashes implements [receiptlog.HashReader].
func (l *proofLog) Hashes(_ context.Context, indexes []int64) (hashes []receiptlog.Hash, err error) {
	for _, i := range indexes {
		hashes = append(hashes, l.hashes[i])
	}
	return hashes, nil
}

// sign signs the head of the log as it is.
func (l *proofLog) sign() error {
	head := receiptlog.Head{Origin: l.origin, Size: l.frontier.Size(), Root: l.frontier.Root()}
	text, err := head.Sign(l.key)
	if err != nil {
		return err
	}
	l.signed.Text = string(text)
	l.signed.Key, err = receiptlog.VerifierKey(l.origin, l.key.Public().(ed25519.PublicKey))
	return err
}

// entry is a receipt as the log commits to it, and as it would be sealed now.
func (s *store) entry(row sealed) receiptlog.Entry {
	r := s.shown(s.receipts[row.receipt])
	if s.has("seals receipts of issuers as they are now") {
		row.issuer = r.User.Issuer
	}
	return receiptlog.Entry{ID: idOf(r.ID), Time: r.Time.UnixMicro(), Reason: r.Reason, Organization: r.Organization, Salt: row.salt,
		Texts: receiptlog.Texts{Issuer: row.issuer, User: r.User.ID, Caller: r.By.Caller, CallerOrganization: r.By.CallerOrganization, Request: r.By.RequestID}}
}

// seal seals all receipts that are not in the log.
func (s *store) seal() error {
	if s.log == nil || s.has("begins a new log for each head") {
		s.log = &proofLog{origin: "avatard/" + hex.EncodeToString(s.id[:])}
		_, s.log.key, _ = ed25519.GenerateKey(rand.Reader)
	}
	var pending []sealed
	from := len(s.log.rows)
	if s.has("seals receipts twice") && from > 0 {
		from--
	}
	if s.has("seals receipts anew") {
		s.log.rows, s.log.hashes, s.log.frontier, from = nil, nil, receiptlog.Frontier{}, 0
	}
	for i := from; i < len(s.receipts); i++ {
		pending = append(pending, sealed{receipt: i, issuer: s.receipts[i].User.Issuer})
	}
	switch {
	case s.has("seals nothing"):
		pending = nil
	case s.has("leaves the newest receipt unsealed") && len(pending) > 0:
		pending = pending[:len(pending)-1]
	case s.has("seals in two steps"):
		s.letOthers()
	}
	entries := make([]receiptlog.Entry, len(pending))
	for i, row := range pending {
		entries[i] = s.entry(row)
	}
	leaves := receiptlog.Seal(entries)
	for i := range pending {
		pending[i].salt = entries[i].Salt
	}
	grown, _, hashes := s.log.frontier.Append(leaves)
	s.log.frontier, s.log.hashes, s.log.rows = grown, append(s.log.hashes, hashes...), append(s.log.rows, pending...)
	return s.log.sign()
}

// ReceiptHead implements [storage.Prover].
func (s *store) ReceiptHead(ctx context.Context) (storage.SignedHead, error) {
	if err := s.enter(ctx, nil); err != nil {
		return storage.SignedHead{}, err
	}
	defer s.mu.Unlock()
	err := s.seal()
	return s.log.signed, err
}

// ProveReceipt implements [storage.Prover].
func (s *store) ProveReceipt(ctx context.Context, id string) (storage.ReceiptProof, error) {
	if err := s.enter(ctx, nil); err != nil {
		return storage.ReceiptProof{}, err
	}
	defer s.mu.Unlock()
	receipt := slices.IndexFunc(s.receipts, func(r storage.Receipt) bool { return r.ID == id })
	if s.has("proves any receipt") && len(s.receipts) > 0 {
		receipt = max(receipt, 0)
	}
	if receipt < 0 {
		return storage.ReceiptProof{}, fmt.Errorf("%d bytes: %w", len(id), storage.ErrReceiptNotFound)
	}
	if !s.has("proves what is sealed only") {
		if err := s.seal(); err != nil {
			return storage.ReceiptProof{}, err
		}
	}
	if s.has("proves the first receipt") {
		receipt = 0
	}
	place := slices.IndexFunc(s.log.rows, func(row sealed) bool { return row.receipt == receipt })
	if place < 0 { // for a flaw
		return storage.ReceiptProof{}, storage.ErrReceiptNotFound
	}
	return s.proveAt(ctx, place)
}

// proveAt proves the receipt at a place of the log.
func (s *store) proveAt(ctx context.Context, place int) (storage.ReceiptProof, error) {
	hashes, err := receiptlog.ProveInclusion(ctx, s.log, s.log.frontier.Size(), int64(place))
	if err != nil {
		return storage.ReceiptProof{}, err
	}
	entry := s.entry(s.log.rows[place])
	proof := storage.ReceiptProof{Key: s.log.signed.Key, Salts: entry.Salt.Fields(),
		Text: string(receiptlog.FormatProof(entry.Leaf(), int64(place), hashes, []byte(s.log.signed.Text)))}
	switch s.memory.flaw {
	case "proves without salts":
		proof.Salts = receiptlog.FieldSalts{}
	case "mixes up salts":
		proof.Salts.User, proof.Salts.Caller = proof.Salts.Caller, proof.Salts.User
	}
	return proof, nil
}

// ProveHistory implements [storage.Prover].
func (s *store) ProveHistory(ctx context.Context, older int64) (storage.HistoryProof, error) {
	if err := s.enter(ctx, nil); err != nil {
		return storage.HistoryProof{}, err
	}
	defer s.mu.Unlock()
	if err := s.seal(); err != nil {
		return storage.HistoryProof{}, err
	}
	size := s.log.frontier.Size()
	if older < 0 || older > size {
		if !s.has("proves histories of any size") {
			return storage.HistoryProof{}, fmt.Errorf("%d of %d: %w", older, size, storage.ErrNoHistory)
		}
		older = size
	}
	hashes, err := receiptlog.ProveConsistency(ctx, s.log, size, older)
	if s.has("proves histories with nothing") {
		hashes = nil
	}
	return storage.HistoryProof{Head: s.log.signed, Hashes: hashes}, err
}

// VerifyReceipts implements [storage.Prover].
func (s *store) VerifyReceipts(ctx context.Context, noted []string) (report storage.ReceiptReport, err error) {
	if err := s.enter(ctx, nil); err != nil {
		return report, err
	}
	defer s.mu.Unlock()
	switch {
	case s.log == nil && s.has("verifies where nothing was sealed"):
		return report, nil
	case s.log == nil:
		return report, storage.ErrNotSealed
	}
	walk := receiptlog.Walk{Rows: s.rows, Hashes: s.log}
	if walk.Head, err = receiptlog.OpenHead([]byte(s.log.signed.Text), s.log.signed.Key); err != nil {
		return report, err
	}
	report.Head = s.log.signed
	for _, text := range noted {
		head, err := receiptlog.OpenHead([]byte(text), s.log.signed.Key)
		switch {
		case err == nil:
			walk.Noted = append(walk.Noted, head)
		case !s.has("verifies no noted heads"):
			return report, err
		}
	}
	if report.Unsealed = int64(len(s.receipts) - len(s.log.rows)); s.has("counts all receipts as unsealed") {
		report.Unsealed = int64(len(s.receipts))
	}
	report.Report, err = receiptlog.Verify(ctx, walk)
	return report, err
}

// rows are those of the log, out of the receipts as they are now.
func (s *store) rows(yield func(receiptlog.Row, error) bool) {
	for i, row := range s.log.rows {
		if row.receipt >= len(s.receipts) { // for a flaw
			continue
		}
		leaf := s.entry(row).Leaf()
		if !yield(receiptlog.Row{Index: int64(i), Leaf: &leaf}, nil) {
			return
		}
	}
}
