package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"example.org/avatard/storage"
)

// usedData is oldData with 30 receipts of two users, one of whom has no more than these, and records of the trail.
func usedData(t *testing.T) string {
	t.Helper()
	dir := oldData(t)
	editData(t, dir, `
		INSERT INTO store (one, id, watermark) VALUES (1, randomblob(16), 30); INSERT INTO issuer VALUES (1, 'https://i');
		INSERT INTO user VALUES (1, 1, 'u', 'acme', 5, 5, 1, NULL), (2, 1, 'v', 'acme', 5, 5, 1, NULL);
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30)
		INSERT INTO receipt SELECT i, 1 + i % 2, CAST(printf('generation%06d', i) AS BLOB), i, 1, nullif(max(i - 2, 0), 0), 0 FROM n;
		UPDATE user SET receipt = 30 WHERE uid = 1; UPDATE user SET receipt = 29 WHERE uid = 2;
		INSERT INTO audit VALUES (1, 1, 'register', 'done', 'c', 'o', 'acme', 'u', 'r1', 0), (2, 2, 'DELETE', 'not_found AUTHZ-cdgFk', 'c', '', 'acme', '', 'r2', 3)`)
	return dir
}

// Receipts of an earlier version are found by what they are of and name the organisation in which their user is now. Users and
// organisations that it has taken off the record are registered like any other.
func TestSchemaVersionFour(t *testing.T) {
	dir := usedData(t)
	if _, _, err := migrateSteps(Config{Dir: dir}, migrations[:3]); err != nil {
		t.Fatal(err)
	}
	editData(t, dir, `INSERT INTO organization VALUES ('left', 1, 1); UPDATE user SET removed = 1 WHERE id = 'v'`)
	s := openTest(t, dir)
	page, err := s.ListReceipts(t.Context(), storage.ReceiptQuery{})
	if err != nil || len(page.Receipts) != 30 || page.Next != "" {
		t.Errorf("ListReceipts = %d receipts, %q, %v, want 30", len(page.Receipts), page.Next, err)
	}
	for i, r := range page.Receipts {
		user := storage.UserKey{Issuer: "https://i", ID: [2]string{"u", "v"}[i%2]}
		if r.User != user || r.Organization != "acme" || r.By != (storage.Origin{}) || r.ID != fmt.Sprintf("%x", fmt.Sprintf("generation%06d", 30-i)) {
			t.Errorf("receipt %d: %+v", 30-i, r)
		}
		if got, err := s.Receipt(t.Context(), r.ID); err != nil || got != r {
			t.Errorf("Receipt(%s) = %+v, %v, want %+v", r.ID, got, err, r)
		}
	}
	if state, err := s.OrganizationState(t.Context(), "left"); state != storage.Removed || err != nil {
		t.Errorf("OrganizationState = %v, %v, want that of one off the record", state, err)
	}
	rm := storage.Removal{User: storage.UserKey{Issuer: "https://i", ID: "v"}, Organization: "acme", By: testBy}
	if _, err := s.EraseUser(t.Context(), rm); !errors.Is(err, storage.ErrUserNotFound) {
		t.Errorf("EraseUser of a user off the record = %v", err)
	}
	if _, created, err := s.AddUser(t.Context(), rm.User, "left", testBy); err != nil || !created {
		t.Errorf("AddUser of a user off the record = %v, %v", created, err)
	}
	wantClean(t, s)
}

// A process is killed at places of a start that brings the metadata forward; the next start has all of it.
func TestKilledWhileMigrating(t *testing.T) {
	t.Parallel()
	data := usedData(t)
	run := func(at int) (dir string, operations int) {
		dir = filepath.Join(t.TempDir(), "data")
		if err := os.CopyFS(dir, os.DirFS(data)); err != nil {
			t.Fatal(err)
		}
		_, operations = runKilled(t, dir, "reopen", at)
		return dir, operations
	}
	_, operations := run(0)
	if operations < 40 {
		t.Fatalf("%d file operations: the files are not watched", operations)
	}
	for at := 1; at <= operations; at += 4 {
		dir, _ := run(at)
		s := openTest(t, dir)
		if page, err := s.ListReceipts(t.Context(), storage.ReceiptQuery{}); err != nil || len(page.Receipts) != 30 {
			t.Errorf("killed at %d: %d receipts, %v", at, len(page.Receipts), err)
		}
		wantClean(t, s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
