package embedded

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/receiptlog"
)

// logged is a store whose heads are noted.
type logged struct {
	*aged
	noted []string
	size  int64
}

// seal seals what there is and demands so many receipts in the log, of which so many are dropped, all as they were.
func (l *logged) seal(size, dropped int64, when string) {
	l.t.Helper()
	signed, err := l.ReceiptHead(l.t.Context())
	if err != nil {
		l.t.Fatalf("%s: ReceiptHead = %v", when, err)
	}
	l.noted = append(l.noted, signed.Text)
	report, err := l.VerifyReceipts(l.t.Context(), l.noted)
	if err != nil || report.Receipts != size-dropped || report.Dropped != dropped || report.Unsealed != 0 || report.Head != signed {
		l.t.Errorf("%s: VerifyReceipts = %+v, %v, want %d receipts, %d of them dropped", when, report, err, size, dropped)
	}
	for _, r := range receiptsOf(l.t, l.Store, storage.ReceiptQuery{}) {
		l.wantProven(r, when)
	}
	l.size = size
}

// wantProven demands a proof of all that is shown of a receipt.
func (l *logged) wantProven(r storage.Receipt, when string) receiptlog.FieldSalts {
	l.t.Helper()
	got, err := l.ProveReceipt(l.t.Context(), r.ID)
	if err != nil {
		l.t.Fatalf("%s: ProveReceipt(%s) = %v", when, r.ID, err)
	}
	proof, err := receiptlog.OpenProof([]byte(got.Text), got.Key)
	texts := receiptlog.Texts{Issuer: r.User.Issuer, User: r.User.ID, Caller: r.By.Caller, CallerOrganization: r.By.CallerOrganization,
		Request: r.By.RequestID}
	if got.Salts.User == (receiptlog.Salt{}) {
		texts.Issuer, texts.User = "", ""
	}
	if err = errors.Join(err, receiptlog.Matches(proof.Leaf, texts, got.Salts)); err != nil || proof.Leaf.Receipt() != r.ID || proof.Leaf.Organization != r.Organization {
		l.t.Errorf("%s: the proof of %+v is one of %+v, %v", when, r, proof.Leaf, err)
	}
	return got.Salts
}

// The log stays what it is through all that becomes of users, trail and receipts, also of those that a version without a log has left.
func TestLogOfReceiptsStays(t *testing.T) {
	l := &logged{aged: openAged(t, storage.Retention{Changes: 30 * day, Receipts: 90 * day})}
	l.seal(0, 0, "nothing")
	for i := range 3 {
		mustPut(t, l.Store, i, 300)
		mustPut(t, l.Store, i, 300)
		mustRemove(t, l.Store, i)
	}
	l.seal(6, 0, "replaced and removed")
	if _, _, err := l.MoveUser(t.Context(), testKey(0), "elsewhere", testBy); !errors.Is(err, storage.ErrOrganizationNotFound) {
		t.Fatal(err)
	}
	if _, err := l.AddOrganization(t.Context(), "elsewhere", testBy); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.MoveUser(t.Context(), testKey(0), "elsewhere", testBy); err != nil {
		t.Fatal(err)
	}
	if _, err := l.EraseUser(t.Context(), removal(1)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.AddUser(t.Context(), testKey(1), "elsewhere", testReadmits); err != nil {
		t.Fatal(err)
	}
	l.seal(6, 0, "moved, ended and readmitted")
	mustMoveIssuer(t, l.Store, testKey(0).Issuer, newIssuer)
	l.seal(6, 0, "of another issuer")
	if salts := l.wantProven(receiptsOf(t, l.Store, storage.ReceiptQuery{})[0], "of another issuer"); salts.User != (receiptlog.Salt{}) || salts.Caller == (receiptlog.Salt{}) {
		t.Errorf("salts %v, want none for a user who is shown with another issuer", salts)
	}
	mustMoveIssuer(t, l.Store, newIssuer, testKey(0).Issuer)
	l.reopen()
	l.seal(6, 0, "opened again")
	l.now = l.now.Add(31 * day)
	l.prune()
	l.want(`SELECT count(*) FROM receipt_log WHERE salt IS NULL AND user_salt IS NOT NULL AND audit IS NULL`, `"6"`)
	l.seal(6, 0, "without the trail")
	if salts := l.wantProven(receiptsOf(t, l.Store, storage.ReceiptQuery{})[0], "without the trail"); salts.User == (receiptlog.Salt{}) ||
		salts.Caller != (receiptlog.Salt{}) || salts.Request != (receiptlog.Salt{}) {
		t.Errorf("salts %v, want that of the user alone", salts)
	}
	l.now = l.now.Add(31 * day)
	mustPut(t, l.Store, 2, 300)
	mustRemove(t, l.Store, 2)
	l.seal(7, 0, "one later")
	l.now = l.now.Add(31 * day)
	l.prune()
	l.want(`SELECT count(*) FROM receipt`, `"3"`)
	l.want(`SELECT count(*) FROM receipt_log WHERE coalesce(salt, user_salt, caller, request, issuer, organization, audit) IS NULL`, `"4"`)
	l.seal(7, 4, "dropped")
	if err := l.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.reopen()
	l.seal(7, 4, "tidied")
	l.wantHistory()
	l.clean()
}

// wantHistory demands that the log begins with that of each noted head.
func (l *logged) wantHistory() {
	l.t.Helper()
	for _, text := range l.noted {
		proof, err := l.ProveHistory(l.t.Context(), l.size)
		if err != nil {
			l.t.Fatal(err)
		}
		older, err := receiptlog.OpenHead([]byte(text), proof.Head.Key)
		if err == nil {
			proof, err = l.ProveHistory(l.t.Context(), older.Size)
		}
		newer, herr := receiptlog.OpenHead([]byte(proof.Head.Text), proof.Head.Key)
		if err = errors.Join(err, herr, receiptlog.CheckConsistency(proof.Hashes, newer, older)); err != nil {
			l.t.Errorf("the history since a log of %d: %v", older.Size, err)
		}
	}
}

// Receipts of a version without a log are sealed behind the start, in steps; they know no organisation, so it stays the one of that time.
func TestReceiptsOfBeforeTheLog(t *testing.T) {
	dir := usedData(t)
	s := openTest(t, dir)
	onCommitter(s, func() {
		s.sealing.rows = 8
		for range 3 {
			s.sealReceipts()
		}
	})
	report, err := s.VerifyReceipts(t.Context(), nil)
	if err != nil || report.Receipts != 24 || report.Unsealed != 6 {
		t.Errorf("VerifyReceipts = %+v, %v, want 24 receipts and 6 that are not sealed", report, err)
	}
	if _, err := s.AddOrganization(t.Context(), "elsewhere", testBy); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.MoveUser(t.Context(), storage.UserKey{Issuer: "https://i", ID: "u"}, "elsewhere", testBy); err != nil {
		t.Fatal(err)
	}
	l := &logged{aged: &aged{Store: s, t: t}, noted: []string{report.Head.Text}}
	l.seal(30, 0, "moved in between")
	organizations := map[string]int{}
	for _, r := range receiptsOf(t, s, storage.ReceiptQuery{}) {
		organizations[r.Organization]++
	}
	if organizations["acme"] != 27 || organizations["elsewhere"] != 3 {
		t.Errorf("receipts by organisation: %v", organizations)
	}
}

// The committer seals by itself a while behind an erasure, and has nothing to do when all is sealed. An erasure that is not finished is
// passed over, and sealed when it is.
func TestReceiptsAreSealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		s, err := Open(t.Context(), Config{Dir: t.TempDir(), WrapFile: f.wrap})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		want := func(sealed, passed int, due bool) {
			t.Helper()
			onCommitter(s, func() {
				x := &s.sealing
				if got := !s.sealDue(s.quiet).IsZero(); int(x.frontier.Size()) != sealed || len(x.unfinished) != passed || got != due {
					t.Errorf("%d receipts are sealed, %d were passed over, more to do: %v; want %d, %d, %v", x.frontier.Size(), len(x.unfinished), got, sealed, passed, due)
				}
			})
		}
		mustPut(t, s, 1, 300)
		want(0, 0, false)
		mustRemove(t, s, 1)
		time.Sleep(sealEvery / 2)
		want(0, 0, true)
		time.Sleep(sealEvery)
		want(1, 0, false)
		mustPut(t, s, 1, 300)
		mustPut(t, s, 2, 300)
		f.set(func(_ int, name, op string) bool { return name == slabName && op == "write" })
		if _, err := s.Remove(t.Context(), removal(1)); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("Remove = %v", err)
		}
		time.Sleep(2 * sealEvery)
		want(1, 1, false)
		f.set(nil)
		mustRemove(t, s, 2)
		time.Sleep(2*sealEvery + sweepDelayMax)
		want(3, 0, false)
		if report, err := s.VerifyReceipts(t.Context(), nil); err != nil || report.Receipts != 3 || report.Unsealed != 0 {
			t.Errorf("VerifyReceipts = %+v, %v", report, err)
		}
	})
}

// While callers come and go, others take heads: each receipt gets one place, and each head is the past of the last one.
func TestSealingBesideDeletes(t *testing.T) {
	const users, rounds = 16, 6
	s := openTest(t, t.TempDir())
	onCommitter(s, func() { s.sealing.rows = 5 })
	heads := make(chan string, users*rounds)
	each(users, users*rounds, func(i int) {
		mustPut(t, s, i, 100)
		mustPut(t, s, i, 200)
		mustRemove(t, s, i)
		head, err := s.ReceiptHead(t.Context())
		if err != nil {
			t.Error(err)
		}
		heads <- head.Text
	})
	close(heads)
	var noted []string
	for text := range heads {
		noted = append(noted, text)
	}
	slices.Sort(noted)
	report, err := s.VerifyReceipts(t.Context(), noted)
	if err != nil || report.Receipts != 2*users*rounds {
		t.Errorf("VerifyReceipts = %+v, %v, want %d receipts", report, err, 2*users*rounds)
	}
}
