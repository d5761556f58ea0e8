package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/backup"
)

func importFrom(t *testing.T, o Options, file []byte, receipts ...[]byte) (storage.ImportSummary, error) {
	t.Helper()
	r := backup.RestoreOptions{Backup: fileOf(t, file)}
	for _, data := range receipts {
		r.Receipts = append(r.Receipts, fileOf(t, data))
	}
	return backup.Restore(t.Context(), At(o), r)
}

// A store that was exported is the same after it was imported elsewhere; pictures that newer receipts name stay away; and an export goes on
// from where the one before ended.
func TestImport(t *testing.T) {
	from := options(t, true)
	s := openStore(t, from)
	var users []storage.UserKey
	for i := range 5 {
		users = append(users, addUser(t, s, fmt.Sprint("user-", i)))
		put(t, s, users[i])
	}
	remove(t, s, users[0])
	gone := addUser(t, s, "gone")
	if _, err := s.EraseUser(t.Context(), removalOf(gone)); err != nil {
		t.Fatal(err)
	}
	full, _ := exportOf(t, s, storage.ExportOptions{})
	at := endOf(t, full)
	remove(t, s, users[1])
	if _, err := s.MoveIssuer(t.Context(), users[0].Issuer, "https://new.test", by); err != nil {
		t.Fatal(err)
	}
	for i := range users {
		users[i].Issuer = "https://new.test"
	}
	put(t, s, users[2])
	newer, _ := exportOf(t, s, storage.ExportOptions{ReceiptsOnly: true, Since: &at})

	to := options(t, false)
	sum, err := importFrom(t, to, full, newer)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Users != 5 || sum.Pictures != 2 || sum.Erased != 2 || sum.Receipts != 3 || sum.Missing != 0 {
		t.Errorf("summary: %+v", sum)
	}
	copied := openStore(t, to)
	wantCopied(t, s, copied, users, 2) // whose new picture is in no file
	if left := listed(t, to); len(left) != 2 {
		t.Errorf("listed: %v, want two", left)
	}
	if found, _ := checked(t, copied, false); len(found) > 0 {
		t.Errorf("a check of what was imported: %+v", found)
	}
	end := endOf(t, newer)
	u := addUser(t, copied, "new")
	put(t, copied, u)
	remove(t, copied, u)
	if _, sum := exportOf(t, copied, storage.ExportOptions{ReceiptsOnly: true, Since: &end}); sum.Receipts != 1 {
		t.Errorf("receipts that go on from %+v: %+v, want one", end, sum)
	}
	if _, err := importFrom(t, to, full); !errors.Is(err, storage.ErrStoreExists) {
		t.Errorf("import over a store = %v, want %v", err, storage.ErrStoreExists)
	}
}

// wantCopied demands that people are in a copy of a store as they are in it, but for the picture of one.
func wantCopied(t *testing.T, s, copied *Store, users []storage.UserKey, without int) {
	t.Helper()
	for i, u := range users {
		a, err := s.Stat(t.Context(), u, acme)
		b, errThere := copied.Stat(t.Context(), u, acme)
		if i == without {
			a.Generation, a.Format, a.Size = "", 0, 0
		}
		if err != nil || errThere != nil || a != b {
			t.Errorf("%s: %+v, %v; imported: %+v, %v", u.ID, a, err, b, errThere)
		}
		if b.Generation == "" {
			continue
		}
		if p, err := copied.Get(t.Context(), u, acme); err != nil || !bytes.Equal(p.Data, uploadOf(u, 3000).Picture.Data) {
			t.Errorf("%s: imported: %d bytes, %v", u.ID, len(p.Data), err)
		}
	}
}

// An import that fails leaves nothing; one that was killed is in nobody's way but cannot be opened.
func TestImportThatDoesNotEnd(t *testing.T) {
	s := openStore(t, options(t, true))
	for i := range 3 {
		put(t, s, addUser(t, s, fmt.Sprint("user-", i)))
	}
	full, _ := exportOf(t, s, storage.ExportOptions{})
	to := options(t, true)
	if _, err := importFrom(t, to, full[:len(full)-9]); err == nil {
		t.Fatal("an import of half a file succeeded")
	}
	if err := At(to).Exists(t.Context()); !errors.Is(err, storage.ErrNoStore) {
		t.Errorf("after half a file: Exists = %v, want %v", err, storage.ErrNoStore)
	}
	if left := listed(t, to); len(left) > 0 {
		t.Errorf("after half a file: listed: %v", left)
	}

	// A process is killed behind its second picture: nothing is taken back.
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	transport := to.Bucket.Transport.(*breakable)
	stored := map[string]bool{} // by path: the server may refuse a request for others at the same time, and is asked again
	transport.script = func(r *http.Request) *http.Response {
		if r.Method == http.MethodPut && isObject(r.URL.Path[len("/"+to.Bucket.Bucket+"/"):]) {
			if stored[r.URL.Path] = true; len(stored) == 3 {
				kill()
			}
		}
		if ctx.Err() != nil {
			return answer(500, "Killed")
		}
		return nil
	}
	_, err := backup.Restore(ctx, At(to), backup.RestoreOptions{Backup: fileOf(t, full)})
	if err == nil {
		t.Fatal("an import whose process was killed succeeded")
	}
	transport.script = nil
	if left := listed(t, to); len(left) != 2 {
		t.Fatalf("listed after the kill: %v, want two; the import ended with %v", left, err)
	}
	if _, err := Open(t.Context(), to, storage.OpenOptions{}); !errors.Is(err, storage.ErrHalfRestored) {
		t.Errorf("Open = %v, want %v", err, storage.ErrHalfRestored)
	}
	if err := At(to).Vacant(t.Context()); err != nil {
		t.Errorf("Vacant = %v, want nil", err)
	}
	sum, err := importFrom(t, to, full)
	if err != nil || sum.Pictures != 3 {
		t.Fatalf("the next import: %+v, %v", sum, err)
	}
	if left := listed(t, to); len(left) != 3 {
		t.Errorf("listed: %v, want three", left)
	}
	if found, _ := checked(t, openStore(t, to), false); len(found) > 0 {
		t.Errorf("a check: %+v", found)
	}
}

// A store that was imported has all receipts from when on the exported one had, and an export that would go on from before that is refused.
func TestImportOfHorizon(t *testing.T) {
	from := options(t, false)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s, err := Open(t.Context(), from, storage.OpenOptions{Now: func() time.Time { return now }, Keep: storage.Retention{Receipts: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	u := addUser(t, s, "u")
	put(t, s, u)
	remove(t, s, u)
	store, before, _, err := exportedEnd(t.Context(), s, storage.ExportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, u)
	remove(t, s, u)
	now = now.Add(2 * time.Hour)
	if err := s.prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, end, _, err := exportedEnd(t.Context(), s, storage.ExportOptions{})
	if err != nil || end.Horizon == 0 {
		t.Fatalf("the export ends as %+v, %v, want a horizon", end, err)
	}
	full, _ := exportOf(t, s, storage.ExportOptions{})
	to := options(t, false)
	if _, err := importFrom(t, to, full); err != nil {
		t.Fatal(err)
	}
	copied := openStore(t, to)
	if _, again, _, err := exportedEnd(t.Context(), copied, storage.ExportOptions{}); err != nil || again.Horizon != end.Horizon {
		t.Errorf("the copy's export has the horizon %d, %v, want %d", again.Horizon, err, end.Horizon)
	}
	at := before.Position(store)
	if _, _, _, err := exportedEnd(t.Context(), copied, storage.ExportOptions{ReceiptsOnly: true, Since: &at}); !errors.Is(err, storage.ErrReceiptsGone) {
		t.Errorf("an export of the copy that goes on from before = %v, want %v", err, storage.ErrReceiptsGone)
	}
	at = end.Position(store)
	if _, _, receipts, err := exportedEnd(t.Context(), copied, storage.ExportOptions{ReceiptsOnly: true, Since: &at}); err != nil || receipts != 0 {
		t.Errorf("an export of the copy that goes on from there = %d receipts, %v, want none", receipts, err)
	}
}
