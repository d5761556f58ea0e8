package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/storagetest"
)

// testReadmits is the origin of an administrator who registers somebody again.
var testReadmits = storage.Origin{Caller: "admin", CallerOrganization: "instance", RequestID: "readmit", Readmits: true}

func mustEraseUser(t testing.TB, s *Store, user int) storage.Result {
	t.Helper()
	res, err := s.EraseUser(context.Background(), removal(user))
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func mustReadmit(t testing.TB, s *Store, user int) {
	t.Helper()
	if _, created, err := s.AddUser(context.Background(), testKey(user), testOrg, testReadmits); err != nil || !created {
		t.Fatal(created, err)
	}
}

// endSome leaves users who have ended, with receipts and without, one who came back, one whom an earlier version took off the record, and
// organisations that have ended, are ending, or are off the record.
func endSome(t testing.TB, s *Store) {
	t.Helper()
	ctx := context.Background()
	for i := 50; i < 53; i++ {
		mustPut(t, s, i, 900)
		mustEraseUser(t, s, i)
	}
	mustReadmit(t, s, 51)
	mustPut(t, s, 51, 700)
	for i, org := range []string{"left", "ended", "ending", "ending"} {
		if _, _, err := s.AddUser(ctx, testKey(53+i), org, testBy); err != nil {
			t.Fatal(err)
		}
		if i == 3 {
			break
		}
		if _, err := s.EraseUser(ctx, storage.Removal{User: testKey(53 + i), AnyOrganization: true, By: testBy}); err != nil {
			t.Fatal(err)
		}
	}
	for _, org := range []string{"ended", "ending"} {
		if ended, err := s.EndOrganization(ctx, org, testBy); err != nil || !ended {
			t.Fatal(ended, err)
		}
	}
	for _, org := range []string{"left", "ended"} {
		if removed, err := s.RemoveOrganization(ctx, org, testBy); err != nil || !removed {
			t.Fatal(removed, err)
		}
	}
	if _, _, err := s.AddUser(ctx, testKey(57), testOrg, testBy); err != nil {
		t.Fatal(err)
	}
	change(t, s, `UPDATE user SET removed = 1 WHERE id = 'user-57'`)
}

// change changes the metadata of an open store.
func change(t testing.TB, s *Store, sql string) {
	t.Helper()
	if err := s.look(func(db *database) error { return db.conn.Exec(sql) }); err != nil {
		t.Fatal(err)
	}
	s.rows.clear()
}

// ends ends a user with a picture, readmits the user, and does it once more; then an organisation ends.
func (d *diskScenario) ends() {
	d.Helper()
	ctx := context.Background()
	for round := range 2 {
		data := upload(2, 4000+round)
		if round == 0 {
			d.f.set(nil)
		} else {
			d.try("AddUser", func(ctx context.Context) error {
				_, _, err := d.s.AddUser(ctx, testKey(2), testOrg, testReadmits)
				return err
			}, nil)
		}
		if d.put(data); round == 0 {
			if _, err := d.s.AddOrganization(ctx, testOrg2, testBy); err != nil {
				d.Fatal(err)
			}
			d.f.set(d.fault)
		}
		d.try("EraseUser", func(ctx context.Context) error { _, err := d.s.EraseUser(ctx, removal(2)); return err }, func() {
			got, err := d.s.Get(ctx, testKey(2), testOrg)
			if err == nil && !bytes.Equal(got.Data, data.Picture.Data) || err != nil && !errors.Is(err, storage.ErrNoPicture) &&
				!errors.Is(err, storage.ErrUserNotFound) {
				d.Fatalf("place %d: Get between = %v", d.at, err)
			}
		})
		d.try("Get", func(ctx context.Context) error {
			if _, err := d.s.Get(ctx, testKey(2), testOrg); !errors.Is(err, storage.ErrUserNotFound) {
				return errors.Join(err, storage.ErrUnavailable)
			}
			return nil
		}, nil)
	}
	d.try("EndOrganization", func(ctx context.Context) error { _, err := d.s.EndOrganization(ctx, testOrg2, testBy); return err }, nil)
	d.try("RemoveOrganization", func(ctx context.Context) error { _, err := d.s.RemoveOrganization(ctx, testOrg2, testBy); return err }, nil)
	if state, err := d.s.OrganizationState(ctx, testOrg2); state != storage.Ended || err != nil {
		d.Errorf("place %d: OrganizationState = %v, %v after its end", d.at, state, err)
	}
	d.f.set(nil)
	if _, err := d.s.Put(ctx, upload(2, 300)); !errors.Is(err, storage.ErrUserEnded) {
		d.Errorf("place %d: Put of a user who has ended = %v", d.at, err)
	}
	wantClean(d.T, d.s)
}

// runEnds ends a user between uploads, and the organisation at last, and calls done after each step. The pictures are 1, 2 …; after the
// first and the third step the user has that of the step.
func runEnds(ctx context.Context, s *Store, done func()) error {
	pattern := storagetest.NewPattern(1)
	put := func(number uint32) error {
		_, err := s.Put(ctx, storage.Upload{User: testKey(1), Organization: testOrg, By: testBy, Register: true,
			Picture: storage.Picture{Format: storage.PNG, Data: pattern.Picture(number, 5000)}})
		return err
	}
	erase := func() error { _, err := s.EraseUser(ctx, removal(1)); return err }
	for i, step := range []func() error{
		func() error { return put(1) }, erase,
		func() error {
			_, _, err := s.AddUser(ctx, testKey(1), testOrg, testReadmits)
			return errors.Join(err, put(3))
		}, erase,
		func() error { _, err := s.EndOrganization(ctx, testOrg, testBy); return err },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
		done()
	}
	return nil
}

// checkEnds opens what runEnds left when it was killed. The user is as after the acknowledged steps, or one more, or in between: registered
// without a picture. Of the pictures before nothing is left, and an end that was begun can be made again, and holds.
func checkEnds(t *testing.T, dir string, at any, acknowledged int) {
	t.Helper()
	ctx := context.Background()
	pattern := storagetest.NewPattern(1)
	s := openTest(t, dir)
	if err := errors.Join(s.Ready(ctx), s.ErasuresDone(ctx)); err != nil {
		t.Errorf("killed at %v: %v", at, err)
	}
	got, err := s.Get(ctx, testKey(1), testOrg)
	last := uint32(1 + acknowledged/2*2) // the picture that the user may have
	switch {
	case errors.Is(err, storage.ErrUserNotFound):
	case acknowledged >= 4:
		t.Errorf("killed at %v after all erasures: %v", at, err)
	case errors.Is(err, storage.ErrNoPicture): // between: registered and not uploaded, or erased and not ended
	case err != nil || !bytes.Equal(got.Data, pattern.Picture(last, 5000)):
		t.Errorf("killed at %v after %d steps: another picture, %v", at, acknowledged, err)
	}
	wantClean(t, s)
	pieces, perr := pattern.Search(dir)
	for _, piece := range pieces {
		if err != nil || piece.Number != last {
			t.Errorf("killed at %v after %d steps: %v", at, acknowledged, piece)
		}
	}
	state, serr := s.OrganizationState(ctx, testOrg)
	if want := state == storage.Ending; acknowledged == 5 && !want || acknowledged < 4 && want {
		t.Errorf("killed at %v after %d steps: the organisation is %v", at, acknowledged, state)
	}
	if acknowledged == 0 && errors.Is(err, storage.ErrUserNotFound) {
		if _, _, err := s.AddUser(ctx, testKey(1), testOrg, testBy); err != nil {
			t.Errorf("killed at %v: AddUser of a user who was never there = %v", at, err)
		}
	}
	mustEraseUser(t, s, 1)
	want := storage.ErrUserEnded
	if state == storage.Ending {
		want = storage.ErrOrganizationEnded
	}
	if _, err := s.Put(ctx, upload(1, 300)); !errors.Is(err, want) {
		t.Errorf("killed at %v: Put of a user who has ended = %v, want %v", at, err, want)
	}
	if _, err := s.AddOrganization(ctx, testOrg, testReadmits); err != nil {
		t.Error(err)
	}
	mustReadmit(t, s, 1)
	mustPut(t, s, 1, 300)
	if err := errors.Join(perr, serr, s.Close()); err != nil {
		t.Error(err)
	}
}

// A process is killed before each of its file operations in turn while a user ends, is readmitted and ends again.
func TestKilledDuringEnds(t *testing.T) {
	_, operations := runKilled(t, t.TempDir(), "ends", 0)
	if operations < 30 {
		t.Fatalf("%d file operations: the files are not watched", operations)
	}
	for at := 1; at <= operations; at++ {
		dir := t.TempDir()
		acknowledged, _ := runKilled(t, dir, "ends", at)
		checkEnds(t, dir, at, acknowledged)
	}
}
