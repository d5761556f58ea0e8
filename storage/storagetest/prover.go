package storagetest

import (
	"errors"

	"example.org/avatard/storage"
	"example.org/avatard/storage/receiptlog"
)

// prover is the log of receipts of the store under test.
type prover struct {
	*fixture
	key   string   // that of the first head
	noted []string // every head so far
}

// open returns what a head says, which has to be signed with the log's one key.
func (p *prover) open(signed storage.SignedHead) receiptlog.Head {
	p.Helper()
	if p.key == "" {
		p.key = signed.Key
	}
	if signed.Key != p.key {
		p.Errorf("the key of the log is %q, and was %q", signed.Key, p.key)
	}
	head, err := receiptlog.OpenHead([]byte(signed.Text), signed.Key)
	if err != nil {
		p.Errorf("OpenHead(%q) = %v", signed.Text, err)
	}
	return head
}

// head takes the head of a log of as many receipts, and notes it.
func (p *prover) head(size int, when string) receiptlog.Head {
	p.Helper()
	signed, err := p.store.ReceiptHead(p.Context())
	if err != nil {
		p.Fatalf("%s: ReceiptHead = %v, want nil", when, err)
	}
	head := p.open(signed)
	if head.Size != int64(size) {
		p.Errorf("%s: the log has %d receipts, want %d", when, head.Size, size)
	}
	p.noted = append(p.noted, signed.Text)
	return head
}

// wantProven demands the proof of a receipt, and returns its place. Its texts are those of was.
func (p *prover) wantProven(was storage.Receipt, when string) int64 {
	p.Helper()
	got, err := p.store.ProveReceipt(p.Context(), was.ID)
	if err != nil {
		p.Fatalf("%s: ProveReceipt(%s) = %v, want nil", when, was.ID, err)
	}
	if got.Key != p.key && p.key != "" {
		p.Errorf("%s: the key of a proof is %q, that of heads %q", when, got.Key, p.key)
	}
	proof, err := receiptlog.OpenProof([]byte(got.Text), got.Key)
	if err != nil {
		p.Fatalf("%s: OpenProof(%q) = %v", when, got.Text, err)
	}
	leaf := proof.Leaf
	if leaf.Receipt() != was.ID || leaf.Time != was.Time.UnixMicro() || leaf.Reason != was.Reason || leaf.Organization != was.Organization {
		p.Errorf("%s: the proof of %+v is one of %+v", when, was, leaf)
	}
	texts := receiptlog.Texts{Issuer: was.User.Issuer, User: was.User.ID,
		Caller: was.By.Caller, CallerOrganization: was.By.CallerOrganization, Request: was.By.RequestID}
	if err := receiptlog.Matches(leaf, texts, got.Salts); err != nil {
		p.Errorf("%s: Matches(%+v) = %v, want nil", when, texts, err)
	}
	texts.User += "x"
	if err := receiptlog.Matches(leaf, texts, got.Salts); !errors.Is(err, receiptlog.ErrOtherTexts) {
		p.Errorf("%s: Matches of somebody else = %v, want %v", when, err, receiptlog.ErrOtherTexts)
	}
	return proof.Index
}

// wantAllProven demands the proofs of all receipts, each at a place of its own.
func (p *prover) wantAllProven(all []storage.Receipt, when string) {
	p.Helper()
	places := map[int64]string{}
	for _, r := range all {
		place := p.wantProven(r, when)
		if other := places[place]; other != "" || place >= int64(len(all)) {
			p.Errorf("%s: %s is at place %d of %d, where %q is", when, r.ID, place, len(all), other)
		}
		places[place] = r.ID
	}
}

// wantHistory demands that the log has each noted head in its past.
func (p *prover) wantHistory(when string) {
	p.Helper()
	for _, text := range p.noted {
		older := p.open(storage.SignedHead{Text: text, Key: p.key})
		proof, err := p.store.ProveHistory(p.Context(), older.Size)
		if err != nil {
			p.Errorf("%s: ProveHistory(%d) = %v, want nil", when, older.Size, err)
			continue
		}
		if err := receiptlog.CheckConsistency(proof.Hashes, p.open(proof.Head), older); err != nil {
			p.Errorf("%s: CheckConsistency with the head of %d = %v, want nil", when, older.Size, err)
		}
	}
}

// wantClean demands that a walk finds nothing wrong with a log of that many receipts, whose head was just taken.
func (p *prover) wantClean(size int, when string) {
	p.Helper()
	report, err := p.store.VerifyReceipts(p.Context(), p.noted)
	if err != nil || report.Receipts+report.Dropped != int64(size) || report.Unsealed != 0 {
		p.Errorf("%s: VerifyReceipts = %+v, %v, want %d receipts and nil", when, report, err, size)
	}
	if last := p.noted[len(p.noted)-1]; report.Head != (storage.SignedHead{Text: last, Key: p.key}) {
		p.Errorf("%s: VerifyReceipts has seen the head %+v, want %q", when, report.Head, last)
	}
}
