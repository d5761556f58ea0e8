package cluster

import (
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/receiptlog"
)

// proof returns the proof of a receipt, whose text holds.
func (l *sealed) proof(id string) (storage.ReceiptProof, receiptlog.Leaf) {
	l.t.Helper()
	got, err := l.s.ProveReceipt(l.t.Context(), id)
	if err != nil {
		l.t.Fatal(err)
	}
	proof, err := receiptlog.OpenProof([]byte(got.Text), got.Key)
	if err != nil {
		l.t.Fatal(err)
	}
	return got, proof.Leaf
}

// Records and callers that are dropped for their age leave the log whole: places stay, and salts go with the texts.
func TestRetentionLeavesTheLog(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l := sealedStoreAs(t, 3, storage.OpenOptions{Now: func() time.Time { return now }, Keep: storage.Retention{Changes: time.Hour, Receipts: 100 * time.Hour}})
	u := storage.UserKey{Issuer: "https://issuer.test", ID: "u0"}
	erase := func() {
		put(t, l.s, u)
		l.ids = append(l.ids, remove(t, l.s, u).Receipt)
		l.head()
	}
	prune := func(d time.Duration) {
		now = now.Add(d)
		if err := l.s.prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		if fault := l.fault(l.heads...); fault != nil {
			t.Errorf("after retention: %v", fault)
		}
	}
	erase()
	before, sealedLeaf := l.proof(l.ids[0])
	prune(2 * time.Hour)
	got, leaf := l.proof(l.ids[0])
	if leaf != sealedLeaf || got.Salts != (receiptlog.FieldSalts{User: before.Salts.User}) {
		t.Errorf("without the caller: %+v, %+v, want the salt of the user alone", got.Salts, leaf)
	}
	if err := receiptlog.Matches(leaf, receiptlog.Texts{Issuer: u.Issuer, User: u.ID}, got.Salts); err != nil {
		t.Error(err)
	}
	erase()
	prune(99 * time.Hour) // the three first receipts are old, and the first two of u0 not its newest
	report, err := l.s.VerifyReceipts(t.Context(), l.heads)
	if err != nil || report.Receipts != 3 || report.Dropped != 2 {
		t.Errorf("%+v, %v, want 3 receipts and 2 that were dropped", report, err)
	}
	if _, err := l.s.ProveReceipt(t.Context(), l.ids[0]); !errors.Is(err, storage.ErrReceiptNotFound) {
		t.Errorf("ProveReceipt of a dropped one = %v, want %v", err, storage.ErrReceiptNotFound)
	}
	l.run(`UPDATE receipt_hash SET hash = sha256('x') WHERE number = 0`)
	if fault := l.fault(); fault == nil || fault.Kind != receiptlog.HashAltered {
		t.Errorf("with another hash of a dropped receipt: %v", fault)
	}
}

// A receipt of a program of before, which says no organisation, keeps the one that was sealed. Receipts stay what they are when users move, end and
// come back, and issuers are given away, by any program.
func TestSealedReceiptsStay(t *testing.T) {
	t.Parallel()
	l := sealedStore(t, 2)
	u := storage.UserKey{Issuer: "https://issuer.test", ID: "u0"}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(when string) {
		t.Helper()
		l.head()
		if fault := l.fault(l.heads...); fault != nil {
			t.Errorf("%s: %v", when, fault)
		}
	}
	l.run(`INSERT INTO receipt (n, gen, uid, reason, begun_at, erased_at) SELECT 50, decode(md5('x'), 'hex'), uid, 1, now(), now() FROM person WHERE id = 'u0'`)
	l.head()
	_, err := l.s.AddOrganization(t.Context(), "other", by)
	must(err)
	_, _, err = l.s.MoveUser(t.Context(), u, "other", by)
	must(err)
	want("MoveUser")
	if _, leaf := l.proof("9dd4e461268c8034f5c8564e155c67a6"); leaf.Organization != acme {
		t.Errorf("the proof is of the organisation %q, want %q", leaf.Organization, acme)
	}
	_, err = l.s.EraseUser(t.Context(), storage.Removal{User: u, AnyOrganization: true, By: by})
	must(err)
	want("EraseUser")
	addUser(t, l.s, "u0")
	want("readmitted")
	for _, move := range [][2]string{{"https://issuer.test", "https://second.test"}, {"https://second.test", "https://third.test"}} {
		_, err = l.s.MoveIssuer(t.Context(), move[0], move[1], by)
		must(err)
		want("MoveIssuer")
	}
	got, leaf := l.proof(l.ids[0])
	texts := receiptlog.Texts{Caller: by.Caller, CallerOrganization: by.CallerOrganization, Request: by.RequestID}
	if err := receiptlog.Matches(leaf, texts, got.Salts); err != nil || got.Salts.User != (receiptlog.Salt{}) {
		t.Errorf("with another issuer: %v, %+v, want no salt of the user", err, got.Salts)
	}
	l.run(`DELETE FROM issuer_move`)
	if fault := l.fault(); fault == nil || fault.Kind != receiptlog.Altered || fault.Index != 0 {
		t.Errorf("without the move on record: %v", fault)
	}
}

// The private key is wrapped anew as those of pictures are. A server whose file has no key for it seals nothing, and all else goes on.
func TestKeyOfTheLogIsRotated(t *testing.T) {
	t.Parallel()
	l := sealedStore(t, 2)
	u := storage.UserKey{Issuer: "https://issuer.test", ID: "u0"}
	erase := func() { put(t, l.s, u); remove(t, l.s, u) }
	second := newKey(t, "second")
	addLine := func(content []byte) {
		t.Helper()
		if err := os.WriteFile(l.o.KeyFile, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := l.s.keys.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	first, err := os.ReadFile(l.o.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	addLine(slices.Concat(first, second))
	if finished, err := l.s.rewrapAll(t.Context()); err != nil || !finished {
		t.Fatalf("rewrapAll = %v, %v", finished, err)
	}
	addLine(second)
	erase()
	if size := l.head(); size != 3 {
		t.Errorf("with the new key alone: %d receipts, want 3", size)
	}
	addLine(newKey(t, "third"))
	erase()
	if _, err := l.s.ReceiptHead(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("ReceiptHead without the key = %v, want %v", err, storage.ErrUnavailable)
	}
	if finished, err := l.s.rewrapAll(t.Context()); err != nil || !finished {
		t.Errorf("rewrapAll without the key = %v, %v", finished, err)
	}
	l.wantSealed("without the key", 3, 1)
	addLine(second)
	if size := l.head(); size != 4 {
		t.Errorf("with the key again: %d receipts, want 4", size)
	}
	l.wantSealed("with the key again", 4, 0)
}

// What is restored begins another log, with another key, and has all receipts in it.
func TestImportBeginsAnotherLog(t *testing.T) {
	t.Parallel()
	l := sealedStore(t, 3)
	file, _ := exportOf(t, l.s, storage.ExportOptions{})
	to := options(t, false)
	if _, err := importFrom(t, to, file); err != nil {
		t.Fatal(err)
	}
	copied := openStore(t, to)
	if _, err := copied.VerifyReceipts(t.Context(), nil); !errors.Is(err, storage.ErrNotSealed) {
		t.Errorf("VerifyReceipts of what was just restored = %v, want %v", err, storage.ErrNotSealed)
	}
	signed, err := copied.ReceiptHead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := copied.VerifyReceipts(t.Context(), l.heads); !errors.Is(err, receiptlog.ErrSignature) {
		t.Errorf("VerifyReceipts with a head of the other log = %v, want %v", err, receiptlog.ErrSignature)
	}
	if report, err := copied.VerifyReceipts(t.Context(), []string{signed.Text}); err != nil || report.Receipts != 3 || report.Unsealed != 0 {
		t.Errorf("VerifyReceipts = %+v, %v, want three receipts", report, err)
	}
}
