package embedded

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.org/avatard/storage"
	"example.org/avatard/storage/backup"
)

const newIssuer = "https://new.example"

// movedKey is testKey at another issuer.
func movedKey(i int, issuer string) storage.UserKey {
	return storage.UserKey{Issuer: issuer, ID: testKey(i).ID}
}

func mustMoveIssuer(t *testing.T, s *Store, from, to string) {
	t.Helper()
	if moved, err := s.MoveIssuer(t.Context(), from, to, testBy); err != nil || !moved {
		t.Fatalf("MoveIssuer from %s to %s = %v, %v", from, to, moved, err)
	}
}

func mustRemoveAt(t *testing.T, s *Store, i int, issuer string) {
	t.Helper()
	if _, err := s.Remove(t.Context(), storage.Removal{User: movedKey(i, issuer), Organization: testOrg, By: testBy}); err != nil {
		t.Fatal(err)
	}
}

// wantUsers demands the pictures of the users under an issuer of a restored store, and that the other issuer has no users.
func wantUsers(t *testing.T, dir, issuer, other string, pictures ...bool) {
	t.Helper()
	s := openTest(t, dir)
	wantClean(t, s)
	for i, has := range pictures {
		_, err := s.Get(t.Context(), movedKey(i, issuer), testOrg)
		if has && err != nil || !has && !errors.Is(err, storage.ErrNoPicture) {
			t.Errorf("Get of user %d under %s = %v, want a picture: %v", i, issuer, err, has)
		}
		if _, err := s.Get(t.Context(), movedKey(i, other), testOrg); !errors.Is(err, storage.ErrUserNotFound) {
			t.Errorf("Get of user %d under %s = %v, want %v", i, other, err, storage.ErrUserNotFound)
		}
	}
}

// Backups and receipts from before and behind a move of the issuer fit together in every order: what was erased stays out, under
// whatever name the receipt knows its owner, and everybody is found under the issuer of the newest file.
func TestRestoreAcrossAMoveOfTheIssuer(t *testing.T) {
	s := openTest(t, t.TempDir())
	old := testKey(0).Issuer
	for i := range 4 {
		mustPut(t, s, i, 3000)
	}
	before, _ := saveTest(t, s, storage.ExportOptions{})
	mustRemove(t, s, 0) // erased, then moved
	between, _ := saveTest(t, s, storage.ExportOptions{ReceiptsOnly: true})
	mustMoveIssuer(t, s, old, newIssuer)
	behind, _ := saveTest(t, s, storage.ExportOptions{})
	mustRemoveAt(t, s, 1, newIssuer) // moved, then erased
	later, _ := saveTest(t, s, storage.ExportOptions{ReceiptsOnly: true})

	restore := func(name, full string, erased int64, receipts ...string) string {
		t.Helper()
		dir := t.TempDir()
		sum, err := backup.Restore(t.Context(), At(Config{Dir: dir}), backup.RestoreOptions{Backup: full, Receipts: receipts})
		if err != nil || sum.Erased != erased || sum.Users != 4 {
			t.Fatalf("%s: Restore = %+v, %v, want 4 users and %d erased", name, sum, err, erased)
		}
		return dir
	}
	wantUsers(t, restore("the backup alone", before, 0), old, newIssuer, true, true, true, true)
	wantUsers(t, restore("with receipts from before", before, 1, between), old, newIssuer, false, true, true, true)
	wantUsers(t, restore("with receipts from behind", before, 2, later), newIssuer, old, false, false, true, true)
	wantUsers(t, restore("with both", before, 2, later, between), newIssuer, old, false, false, true, true)
	wantUsers(t, restore("from behind", behind, 1, later), newIssuer, old, false, false, true, true)
	wantUsers(t, restore("from behind, with receipts from before", behind, 1, between, later), newIssuer, old, false, false, true, true)

	// The restored store knows of the move, too: it goes on from there.
	dir := restore("to go on from", before, 2, later)
	again := openTest(t, dir)
	mustRemoveAt(t, again, 2, newIssuer)
	newest, _ := saveTest(t, again, storage.ExportOptions{ReceiptsOnly: true})
	wantUsers(t, restore("with receipts of the restored store", before, 3, newest), newIssuer, old, false, false, false, true)
}

// Whatever the number of moves, and also when they led back.
func TestRestoreAcrossMovesOfTheIssuer(t *testing.T) {
	s := openTest(t, t.TempDir())
	first, third := testKey(0).Issuer, "https://third.example"
	for i := range 3 {
		mustPut(t, s, i, 3000)
	}
	one, _ := saveTest(t, s, storage.ExportOptions{})
	mustMoveIssuer(t, s, first, newIssuer)
	two, _ := saveTest(t, s, storage.ExportOptions{})
	mustRemoveAt(t, s, 0, newIssuer)
	mustMoveIssuer(t, s, newIssuer, third)
	three, _ := saveTest(t, s, storage.ExportOptions{ReceiptsOnly: true})
	mustMoveIssuer(t, s, third, first)
	mustRemove(t, s, 1)
	four, _ := saveTest(t, s, storage.ExportOptions{ReceiptsOnly: true})
	for _, row := range []struct {
		backup   string
		receipts []string
		issuer   string
		pictures []bool
	}{
		{one, []string{three}, third, []bool{false, true, true}}, {two, []string{three}, third, []bool{false, true, true}},
		{one, []string{four}, first, []bool{false, false, true}}, {two, []string{four}, first, []bool{false, false, true}},
		{one, []string{three, four}, first, []bool{false, false, true}}, {two, []string{four, three}, first, []bool{false, false, true}},
	} {
		dir := t.TempDir()
		if _, err := backup.Restore(t.Context(), At(Config{Dir: dir}), backup.RestoreOptions{Backup: row.backup, Receipts: row.receipts}); err != nil {
			t.Fatal(err)
		}
		wantUsers(t, dir, row.issuer, newIssuer, row.pictures...)
	}
}

// A move is on record with who asked for it, and a start tells of users whom the issuer of its configuration does not reach.
func TestMoveOfTheIssuerIsReported(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	old := testKey(0).Issuer
	want := func(when string, s *Store, of string, others ...string) {
		t.Helper()
		if diff := cmp.Diff(others, s.OtherIssuers(of)); diff != "" {
			t.Errorf("%s: OtherIssuers of %s (-want +got):\n%s", when, of, diff)
		}
	}
	want("nobody there", s, newIssuer)
	mustPut(t, s, 0, 400)
	want("before", s, old)
	want("before", s, newIssuer, old)
	mustMoveIssuer(t, s, old, newIssuer)
	if trail := strings.Join(contents(t, s)["audit"], "\n"); !strings.Contains(trail, "|issuer-move-from|done|"+testBy.Caller) || !strings.Contains(trail, newIssuer) {
		t.Errorf("the audit trail does not tell of the move:\n%s", trail)
	}
	for _, when := range []string{"behind", "opened again"} {
		want(when, s, newIssuer)
		want(when, s, old, newIssuer)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openTest(t, dir)
	}
	mustPut(t, s, 5, 400)
	want("used again", s, old)
	want("used again", s, newIssuer)
	other := "https://one-more.example"
	if _, _, err := s.AddUser(t.Context(), movedKey(0, other), testOrg, testBy); err != nil {
		t.Errorf("AddUser of one more issuer = %v", err)
	}
	want("with one more", s, "https://nobody.example", newIssuer, other, old)
}

// A backup during which users changed their issuer is not whole.
func TestBackupDuringAMoveOfTheIssuer(t *testing.T) {
	s := openTest(t, t.TempDir())
	mustPut(t, s, 0, 100_000)
	moved := false
	_, err := backup.Write(t.Context(), s, writerFunc(func(p []byte) (int, error) {
		if !moved {
			moved = true
			mustMoveIssuer(t, s, testKey(0).Issuer, newIssuer)
		}
		return len(p), nil
	}), storage.ExportOptions{})
	if !errors.Is(err, storage.ErrUnavailable) || !moved {
		t.Errorf("Backup = %v, moved %v, want %v", err, moved, storage.ErrUnavailable)
	}
	if _, err := backup.Write(t.Context(), s, new(bytes.Buffer), storage.ExportOptions{}); err != nil {
		t.Errorf("Backup after the move = %v", err)
	}
}
