package embedded

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.org/avatard/storage"
)

// receiptsOf walks the pages of a list.
func receiptsOf(t *testing.T, s *Store, q storage.ReceiptQuery) (all []storage.Receipt) {
	t.Helper()
	for {
		page, err := s.ListReceipts(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Receipts...)
		if page.Next == "" {
			return all
		}
		q.After = page.Next
	}
}

// wantSearched demands that each receipt that is listed is found, and that the index has none but the first so many.
func wantSearched(t *testing.T, s *Store, indexed int64) {
	t.Helper()
	all := receiptsOf(t, s, storage.ReceiptQuery{})
	for _, r := range all {
		if got, err := s.Receipt(t.Context(), r.ID); err != nil || got != r {
			t.Errorf("Receipt(%s) = %+v, %v, want %+v", r.ID, got, err, r)
		}
	}
	if n := count(t, s, `SELECT count(*) FROM receipt_generation`); n != indexed {
		t.Errorf("%d receipts are indexed, want %d", n, indexed)
	}
	if int64(len(all)) != count(t, s, `SELECT count(*) FROM receipt`) {
		t.Errorf("%d receipts are listed", len(all))
	}
}

// A receipt is found whether it is indexed or not, until it is removed for its age; the committer indexes once there are enough.
func TestReceiptsAreIndexed(t *testing.T) {
	a := openAged(t, pruneKeep)
	onCommitter(a.Store, func() { a.indexing.rows = 4 })
	step := func() { onCommitter(a.Store, func() { a.indexReceipts() }) }
	due := func() (is bool) {
		onCommitter(a.Store, func() { is = !a.indexDue(a.quiet).IsZero() })
		return is
	}
	for i := range 3 {
		mustPut(t, a.Store, i, 300)
		mustRemove(t, a.Store, i)
	}
	if wantSearched(t, a.Store, 0); due() {
		t.Error("three receipts are to be indexed, want four at least")
	}
	onCommitter(a.Store, func() { a.indexing.rows = 3 })
	if !due() {
		t.Error("three receipts are not to be indexed")
	}
	step()
	wantSearched(t, a.Store, 3)
	for i := range 4 {
		mustPut(t, a.Store, i%2, 300)
		mustRemove(t, a.Store, i%2)
	}
	wantSearched(t, a.Store, 3)
	step()
	wantSearched(t, a.Store, 6)
	for _, id := range []string{"", "x", strings.Repeat("0", 32), strings.ToUpper(receiptsOf(t, a.Store, storage.ReceiptQuery{})[0].ID)} {
		if _, err := a.Receipt(t.Context(), id); !errors.Is(err, storage.ErrReceiptNotFound) {
			t.Errorf("Receipt(%q) = %v, want %v", id, err, storage.ErrReceiptNotFound)
		}
	}
	a.now = a.now.Add(3 * day)
	a.Store.RecordRefusal(storage.Refusal{By: testBy})
	onCommitter(a.Store, func() { a.commitBatch(nil) })
	a.prune()
	a.reopen()
	wantSearched(t, a.Store, 2) // of the newest of each user, 3, 6 and 7, the last is not indexed
	a.clean()
}

// Receipts of erasures that are not finished are not shown, however the list comes to them.
func TestUnfinishedReceiptsAreNotShown(t *testing.T) {
	ctx := context.Background()
	f := &faults{}
	s, err := Open(ctx, Config{Dir: t.TempDir(), WrapFile: f.wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustPut(t, s, 1, 500)
	mustPut(t, s, 1, 600)
	stat, err := s.Stat(ctx, testKey(1), testOrg)
	if err != nil {
		t.Fatal(err)
	}
	shown := func() (n int) {
		n = len(receiptsOf(t, s, storage.ReceiptQuery{}))
		if m := len(receiptsOf(t, s, storage.ReceiptQuery{User: testKey(1)})); m != n {
			t.Errorf("%d receipts of the user, want %d", m, n)
		}
		if _, err := s.Receipt(ctx, stat.Generation); (err == nil) != (n == 2) || err != nil && !errors.Is(err, storage.ErrReceiptNotFound) {
			t.Errorf("Receipt of one of %d that are shown = %v", n, err)
		}
		return n
	}
	f.set(func(_ int, name, op string) bool { return name == slabName && op == "sync" })
	if _, err := s.Remove(ctx, removal(1)); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Remove = %v on a disk that fails", err)
	}
	if n := shown(); n != 1 {
		t.Errorf("%d receipts are shown while one erasure is not finished, want that of the replacement", n)
	}
	f.set(nil)
	mustRemove(t, s, 1)
	if n := shown(); n != 2 {
		t.Errorf("%d receipts are shown, want 2", n)
	}
}

// Who has caused an erasure is told as long as the trail of that time is kept, in the store and in one that was restored from it.
func TestCallersOfReceiptsAreKeptLikeTheTrail(t *testing.T) {
	keep := storage.Retention{Changes: day}
	a := openAged(t, keep)
	mustPut(t, a.Store, 1, 500)
	mustPut(t, a.Store, 1, 600)
	mustRemove(t, a.Store, 1)
	mustPut(t, a.Store, 2, 600)
	if _, err := a.EraseUser(t.Context(), removal(2)); err != nil {
		t.Fatal(err)
	}
	want := receiptsOf(t, a.Store, storage.ReceiptQuery{})
	for _, r := range want {
		if r.By != testBy || r.Organization != testOrg {
			t.Errorf("%+v, want the caller's name and the organisation", r)
		}
	}
	full, _ := saveTest(t, a.Store, storage.ExportOptions{})
	mustPut(t, a.Store, 3, 600)
	mustRemove(t, a.Store, 3)
	receipts, _ := saveTest(t, a.Store, storage.ExportOptions{ReceiptsOnly: true})
	for _, newer := range []string{"", receipts} {
		dir, _ := restoreTest(t, full, newer)
		b := &aged{t: t, dir: dir, now: a.now, f: &faults{}}
		b.cfg = Config{Dir: dir, Keep: keep, Now: func() time.Time { return b.now }}
		b.open()
		got := receiptsOf(t, b.Store, storage.ReceiptQuery{})
		if newer != "" {
			want = receiptsOf(t, a.Store, storage.ReceiptQuery{})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("restored (-want +got):\n%s", diff)
		}
		b.wantForgotten()
	}
	a.wantForgotten()
}

// wantForgotten demands that no caller of a receipt is known once the trail is too old.
func (a *aged) wantForgotten() {
	a.t.Helper()
	a.now = a.now.Add(2 * day)
	mustPut(a.t, a.Store, 9, 600)
	a.prune()
	for _, r := range receiptsOf(a.t, a.Store, storage.ReceiptQuery{}) {
		if r.By != (storage.Origin{}) || r.Organization == "" {
			a.t.Errorf("%+v, want no caller", r)
		}
	}
	if n := count(a.t, a.Store, `SELECT count(*) FROM receipt_origin`); n != 0 {
		a.t.Errorf("%d callers are kept", n)
	}
	if err := a.Close(); err != nil {
		a.t.Error(err)
	}
}
