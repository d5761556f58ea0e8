package embedded

import (
	"context"
	"errors"
	"testing"

	"example.org/avatard/storage"
)

// wantState demands which users of a restored directory have a picture, have none, or are not registered, and that a check finds nothing.
func wantState(t *testing.T, dir string, users map[int]error) *Store {
	t.Helper()
	s := openTest(t, dir)
	for i, want := range users {
		if _, err := s.Get(context.Background(), testKey(i), testOrg); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("user %d: Get = %v, want %v", i, err, want)
		}
	}
	wantClean(t, s)
	return s
}

// A backup from before an end never brings user or picture back when the receipts from behind it are there, whether there was something to
// erase or not. A backup from behind the end has nobody.
func TestRestoreAcrossEnds(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, t.TempDir())
	for i := 1; i <= 4; i++ {
		mustPut(t, s, i, 900+i)
	}
	mustRemove(t, s, 3) // has no picture, and a receipt from before the backup
	if _, err := s.AddOrganization(ctx, "left", testBy); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.AddUser(ctx, testKey(5), testOrg, testBy); err != nil { // never has a picture
		t.Fatal(err)
	}
	before, _ := saveTest(t, s, storage.ExportOptions{})
	sequence := mustEraseUser(t, s, 1).Details.Sequence
	mustEraseUser(t, s, 3)
	mustEraseUser(t, s, 4)
	mustReadmit(t, s, 4)
	mustPut(t, s, 4, 500)
	mustEraseUser(t, s, 5)
	if _, err := s.RemoveOrganization(ctx, "left", testBy); err != nil {
		t.Fatal(err)
	}
	receipts, _ := saveTest(t, s, storage.ExportOptions{ReceiptsOnly: true})
	after, sum := saveTest(t, s, storage.ExportOptions{})
	if sum.Users != 2 {
		t.Errorf("Backup = %+v, want 2 users", sum)
	}

	gone := storage.ErrUserNotFound
	for _, test := range []struct {
		backup, receipts string
		want             map[int]error
	}{
		{before, "", map[int]error{1: nil, 2: nil, 3: storage.ErrNoPicture, 4: nil, 5: storage.ErrNoPicture}},
		{before, receipts, map[int]error{1: gone, 2: nil, 3: gone, 4: storage.ErrNoPicture, 5: gone}},
		{after, "", map[int]error{1: gone, 2: nil, 3: gone, 4: nil, 5: gone}},
		{after, receipts, map[int]error{1: gone, 2: nil, 3: gone, 4: nil, 5: gone}},
	} {
		dir, _ := restoreTest(t, test.backup, test.receipts)
		again := wantState(t, dir, test.want)
		has, err := again.HasOrganization(ctx, "left")
		if want := test.backup == before && test.receipts == ""; has != want || err != nil {
			t.Errorf("HasOrganization of one that was removed = %v, %v, want %v", has, err, want)
		}
		if test.want[1] == nil {
			continue
		}
		for _, user := range []int{1, 5} {
			if _, _, err := again.AddUser(ctx, testKey(user), testOrg, testBy); !errors.Is(err, storage.ErrUserEnded) {
				t.Errorf("AddUser(%d) of a user who has ended = %v", user, err)
			}
		}
		res, created, err := again.AddUser(ctx, testKey(1), testOrg, testReadmits)
		if err != nil || !created || res.Details.Sequence != sequence+1 || res.Receipt == "" {
			t.Errorf("AddUser of a user who is readmitted = %+v, %v, %v, want sequence %d", res, created, err, sequence+1)
		}
	}
}

// An issuer whose users have all ended takes those of another one, and both can be backed up and restored.
func TestMoveToAnIssuerOfEndedUsers(t *testing.T) {
	ctx := context.Background()
	const to = "https://new.example"
	s := openTest(t, t.TempDir())
	mustPut(t, s, 1, 900)
	before, _ := saveTest(t, s, storage.ExportOptions{})
	wrong := storage.UserKey{Issuer: to, ID: testKey(1).ID}
	up := upload(1, 500)
	up.User, up.Register = wrong, true
	if _, err := s.Put(ctx, up); err != nil {
		t.Fatal(err)
	}
	if _, err := s.MoveIssuer(ctx, testKey(1).Issuer, to, testBy); !errors.Is(err, storage.ErrIssuerInUse) {
		t.Errorf("MoveIssuer to one in use = %v", err)
	}
	if _, err := s.EraseUser(ctx, storage.Removal{User: wrong, Organization: testOrg, By: testBy}); err != nil {
		t.Fatal(err)
	}
	if known, err := s.Issuers(); err != nil || len(known) != 1 || known[0] != testKey(1).Issuer {
		t.Errorf("Issuers = %q, %v, want that of the user on record alone", known, err)
	}
	if moved, err := s.MoveIssuer(ctx, testKey(1).Issuer, to, testBy); err != nil || !moved {
		t.Fatal(moved, err)
	}
	check := func(s *Store) {
		t.Helper()
		if _, err := s.Get(ctx, wrong, testOrg); err != nil {
			t.Errorf("Get with the new issuer = %v", err)
		}
		if _, err := s.Get(ctx, testKey(1), testOrg); !errors.Is(err, storage.ErrUserNotFound) {
			t.Errorf("Get with the old issuer = %v", err)
		}
		if moved, err := s.MoveIssuer(ctx, testKey(1).Issuer, to, testBy); err != nil || moved {
			t.Errorf("MoveIssuer again = %v, %v, want false, nil", moved, err)
		}
		wantClean(t, s)
	}
	check(s)
	receipts, _ := saveTest(t, s, storage.ExportOptions{ReceiptsOnly: true})
	after, _ := saveTest(t, s, storage.ExportOptions{})
	dir, _ := restoreTest(t, after, "")
	check(openTest(t, dir))
	dir, _ = restoreTest(t, before, receipts)
	check(openTest(t, dir))
	mustReadmit(t, s, 1)
	if moved, err := s.MoveIssuer(ctx, testKey(1).Issuer, to, testBy); !errors.Is(err, storage.ErrIssuerInUse) {
		t.Errorf("MoveIssuer with users of both = %v, %v", moved, err)
	}
}

// Who has ended with an issuer stays so under it when another one's users come to it, in the store and in one restored across the move.
func TestEndsAcrossAMoveOfIssuers(t *testing.T) {
	ctx := context.Background()
	const to = "https://new.example"
	s := openTest(t, t.TempDir())
	mustPut(t, s, 1, 900)
	ended := storage.UserKey{Issuer: to, ID: "gone"}
	if _, _, err := s.AddUser(ctx, ended, testOrg, testBy); err != nil {
		t.Fatal(err)
	}
	if _, err := s.EraseUser(ctx, storage.Removal{User: ended, Organization: testOrg, By: testBy}); err != nil {
		t.Fatal(err)
	}
	before, _ := saveTest(t, s, storage.ExportOptions{})
	if moved, err := s.MoveIssuer(ctx, testKey(1).Issuer, to, testBy); err != nil || !moved {
		t.Fatal(moved, err)
	}
	receipts, _ := saveTest(t, s, storage.ExportOptions{ReceiptsOnly: true})
	dir, _ := restoreTest(t, before, receipts)
	for _, s := range []*Store{s, openTest(t, dir)} {
		if _, _, err := s.AddUser(ctx, ended, testOrg, testBy); !errors.Is(err, storage.ErrUserEnded) {
			t.Errorf("AddUser of a user who has ended = %v, want %v", err, storage.ErrUserEnded)
		}
		if _, _, err := s.AddUser(ctx, storage.UserKey{Issuer: testKey(1).Issuer, ID: ended.ID}, testOrg, testBy); err != nil {
			t.Errorf("AddUser of the same id with the issuer of before = %v", err)
		}
		wantClean(t, s)
	}
}
