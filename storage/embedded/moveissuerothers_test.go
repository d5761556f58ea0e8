package embedded

import (
	"errors"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/backup"
)

const thirdIssuer = "https://third.example"

// putAt uploads a picture of a user of an issuer, whom it registers in an organisation.
func putAt(t *testing.T, s *Store, i int, issuer, org string) {
	t.Helper()
	up := upload(i, 700)
	up.User, up.Organization, up.Register = movedKey(i, issuer), org, true
	if _, err := s.Put(t.Context(), up); err != nil {
		t.Fatal(err)
	}
}

// The users that reads remember are forgotten also when a removal and the move of the issuer share a group commit.
func TestRemoveTogetherWithAMoveOfTheIssuer(t *testing.T) {
	s := openTest(t, t.TempDir())
	old := testKey(0).Issuer
	mustPut(t, s, 0, 3000)
	if _, err := s.Get(t.Context(), testKey(0), testOrg); err != nil {
		t.Fatal(err)
	}
	key := testKey(0)
	requests := []*request{
		{op: &remove{rm: removal(0)}, key: &key, done: make(chan struct{})},
		{op: &moveIssuer{from: old, to: newIssuer, by: testBy}, done: make(chan struct{})},
	}
	onCommitter(s, func() {
		for _, request := range requests {
			if err := s.queue.enter(request); err != nil {
				t.Error(err)
			}
		}
	})
	for _, request := range requests {
		if <-request.done; request.answer != nil {
			t.Fatal(request.answer)
		}
	}
	if info, err := s.Stat(t.Context(), movedKey(0, newIssuer), testOrg); err != nil || info.Generation != "" {
		t.Errorf("Stat behind both = %+v, %v, want no picture", info, err)
	}
	if _, err := s.Get(t.Context(), movedKey(0, newIssuer), testOrg); !errors.Is(err, storage.ErrNoPicture) {
		t.Errorf("Get behind both = %v, want %v", err, storage.ErrNoPicture)
	}
}

// Issuers are ids: every one that is valid can be moved, however it is called.
func TestMoveOfAnIssuerOfAnyName(t *testing.T) {
	s := openTest(t, t.TempDir())
	old := testKey(0).Issuer
	putAt(t, s, 0, old, testOrg)
	for _, to := range []string{"moved from " + old, old, "moved from " + old, newIssuer, "moved from " + newIssuer, newIssuer} {
		mustMoveIssuer(t, s, old, to)
		old = to
	}
	putAt(t, s, 0, newIssuer, testOrg)
}

// wantPerson demands that a user of an issuer in an organisation has the picture of this entity tag; "" is for none.
func wantPerson(t *testing.T, s *Store, i int, issuer, org, generation string) {
	t.Helper()
	info, err := s.Stat(t.Context(), movedKey(i, issuer), org)
	if err != nil || info.Generation != generation {
		t.Errorf("user %d of %s in %s = %+v, %v, want the picture %q", i, issuer, org, info, err, generation)
	}
}

func generationAt(t *testing.T, s *Store, i int, issuer, org string) string {
	t.Helper()
	info, err := s.Stat(t.Context(), movedKey(i, issuer), org)
	if err != nil {
		t.Fatal(err)
	}
	return info.Generation
}

// restored opens what a backup and files of receipts hold.
func restored(t *testing.T, full string, receipts ...string) *Store {
	t.Helper()
	dir := t.TempDir()
	if _, err := backup.Restore(t.Context(), At(Config{Dir: dir}), backup.RestoreOptions{Backup: full, Receipts: receipts}); err != nil {
		t.Fatal(err)
	}
	s := openTest(t, dir)
	wantClean(t, s)
	return s
}

// When an issuer was moved, another one may get its old name. The users of the two are different people: no restore mixes them,
// whichever files it reads.
func TestRestoreAcrossMovesKeepsUsersApart(t *testing.T) {
	const org = "another"
	s := openTest(t, t.TempDir())
	old := testKey(0).Issuer
	putAt(t, s, 0, old, testOrg)
	first := generationAt(t, s, 0, old, testOrg)
	one, _ := saveTest(t, s, storage.ExportOptions{})
	mustRemoveAt(t, s, 0, old)
	putAt(t, s, 0, old, testOrg)
	receiptsOne, _ := saveTest(t, s, storage.ExportOptions{ReceiptsOnly: true})
	second := generationAt(t, s, 0, old, testOrg)
	mustMoveIssuer(t, s, old, newIssuer)
	two, _ := saveTest(t, s, storage.ExportOptions{})
	for range 4 { // the record of the other person has come further
		putAt(t, s, 0, old, org)
	}
	others := generationAt(t, s, 0, old, org)
	three, _ := saveTest(t, s, storage.ExportOptions{})
	receiptsThree, _ := saveTest(t, s, storage.ExportOptions{ReceiptsOnly: true})
	mustMoveIssuer(t, s, old, thirdIssuer) // the others move on, and the first ones get their old name back
	mustMoveIssuer(t, s, newIssuer, old)
	four, _ := saveTest(t, s, storage.ExportOptions{})
	receiptsFour, _ := saveTest(t, s, storage.ExportOptions{ReceiptsOnly: true})

	for _, receipts := range [][]string{nil, {receiptsOne}} {
		r := restored(t, one, receipts...)
		want := first
		if receipts != nil {
			want = "" // erased, and what came then is not in the backup
		}
		wantPerson(t, r, 0, old, testOrg, want)
	}
	for _, receipts := range [][]string{{receiptsThree}, {receiptsOne, receiptsThree}} {
		r := restored(t, one, receipts...)
		wantPerson(t, r, 0, newIssuer, testOrg, "")
		wantPerson(t, r, 0, old, org, "")
		r = restored(t, two, receipts...)
		wantPerson(t, r, 0, newIssuer, testOrg, second)
		wantPerson(t, r, 0, old, org, "")
		r = restored(t, three, receipts...)
		wantPerson(t, r, 0, newIssuer, testOrg, second)
		wantPerson(t, r, 0, old, org, others)
	}
	for _, receipts := range [][]string{{receiptsFour}, {receiptsOne, receiptsThree, receiptsFour}, {receiptsFour, receiptsOne}} {
		for full, want := range map[string][2]string{one: {"", ""}, two: {second, ""}, three: {second, others}, four: {second, others}} {
			r := restored(t, full, receipts...)
			wantPerson(t, r, 0, old, testOrg, want[0])
			wantPerson(t, r, 0, thirdIssuer, org, want[1])
			if _, err := r.Stat(t.Context(), movedKey(0, newIssuer), testOrg); !errors.Is(err, storage.ErrUserNotFound) {
				t.Errorf("Stat of a user of an issuer that nobody has any more = %v, want %v", err, storage.ErrUserNotFound)
			}
		}
	}
}
