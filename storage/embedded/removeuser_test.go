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

func mustRemoveUser(t testing.TB, s *Store, user int) storage.Result {
	t.Helper()
	res, err := s.RemoveUser(context.Background(), removal(user))
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// removeSome leaves users off the record with receipts and without, one who came back, and an organisation off it.
func removeSome(t testing.TB, s *Store) {
	t.Helper()
	ctx := context.Background()
	for i := 50; i < 53; i++ {
		mustPut(t, s, i, 900)
		mustRemoveUser(t, s, i)
	}
	mustPut(t, s, 51, 700)
	if _, _, err := s.AddUser(ctx, testKey(53), "left", testBy); err != nil {
		t.Fatal(err)
	}
	if _, err := s.RemoveUser(ctx, storage.Removal{User: testKey(53), AnyOrganization: true, By: testBy}); err != nil {
		t.Fatal(err)
	}
	if removed, err := s.RemoveOrganization(ctx, "left", testBy); err != nil || !removed {
		t.Fatal(removed, err)
	}
}

// removals takes a user with a picture off the record, registers the user again, and does it once more; then the organisation goes.
func (d *diskScenario) removals() {
	d.Helper()
	ctx := context.Background()
	org := func() {
		if _, err := d.s.AddOrganization(ctx, testOrg2, testBy); err != nil {
			d.Fatal(err)
		}
	}
	for round := range 2 {
		data := upload(2, 4000+round)
		data.Register = true
		if round == 0 {
			d.f.set(nil)
			d.put(data)
			org()
			d.f.set(d.fault)
		} else {
			d.put(data)
		}
		d.try("RemoveUser", func(ctx context.Context) error {
			_, err := d.s.RemoveUser(ctx, removal(2))
			if errors.Is(err, storage.ErrUserNotFound) {
				return nil // the first call was through
			}
			return err
		}, func() {
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
	d.try("RemoveOrganization", func(ctx context.Context) error {
		_, err := d.s.RemoveOrganization(ctx, testOrg2, testBy)
		return err
	}, nil)
	if has, err := d.s.HasOrganization(ctx, testOrg2); has || err != nil {
		d.Errorf("place %d: HasOrganization = %v, %v after its removal", d.at, has, err)
	}
	d.f.set(nil)
	wantClean(d.T, d.s)
}

// runRemovals takes a user off the record between uploads, and calls done after each step. The pictures are 1, 2 …; after an odd step
// the user has that of the step.
func runRemovals(ctx context.Context, s *Store, done func()) error {
	pattern := storagetest.NewPattern(1)
	for step := range 4 {
		var err error
		if step%2 == 0 {
			_, err = s.Put(ctx, storage.Upload{User: testKey(1), Organization: testOrg, By: testBy, Register: true,
				Picture: storage.Picture{Format: storage.PNG, Data: pattern.Picture(uint32(step+1), 5000)}})
		} else {
			_, err = s.RemoveUser(ctx, removal(1))
		}
		if err != nil {
			return fmt.Errorf("step %d: %w", step+1, err)
		}
		done()
	}
	return nil
}

// checkRemovals opens what runRemovals left when it was killed. The user is as after the acknowledged steps, or one more, or in between:
// registered without a picture. Of the pictures before nothing is left, and a removal that was begun can be made again.
func checkRemovals(t *testing.T, dir string, at any, acknowledged int) {
	t.Helper()
	ctx := context.Background()
	pattern := storagetest.NewPattern(1)
	s := openTest(t, dir)
	if err := errors.Join(s.Ready(ctx), s.ErasuresDone(ctx)); err != nil {
		t.Errorf("killed at %v: %v", at, err)
	}
	got, err := s.Get(ctx, testKey(1), testOrg)
	last, living := acknowledged, uint32(0) // step
	switch {
	case errors.Is(err, storage.ErrUserNotFound):
		if acknowledged%2 == 1 {
			last++
		}
		if last%2 != 0 {
			t.Errorf("killed at %v after %d steps: nobody is registered", at, acknowledged)
		}
	case errors.Is(err, storage.ErrNoPicture): // between: registered and not uploaded, or erased and not taken off
		if acknowledged == 4 {
			t.Errorf("killed at %v after all steps: %v", at, err)
		}
	case err != nil:
		t.Errorf("killed at %v: %v", at, err)
	default:
		if last += 1 - acknowledged%2; last > 3 || !bytes.Equal(got.Data, pattern.Picture(uint32(last), 5000)) {
			t.Errorf("killed at %v after %d steps: another picture", at, acknowledged)
		}
		living = uint32(last)
	}
	wantClean(t, s)
	pieces, perr := pattern.Search(dir)
	for _, piece := range pieces {
		if piece.Number != living {
			t.Errorf("killed at %v after %d steps: %v", at, acknowledged, piece)
		}
	}
	if !errors.Is(err, storage.ErrUserNotFound) {
		mustRemoveUser(t, s, 1)
	}
	up := upload(1, 300)
	up.Register = true
	if _, err := s.Put(ctx, up); err != nil {
		t.Errorf("killed at %v: Put of a user who comes back = %v", at, err)
	}
	if err := errors.Join(perr, s.Close()); err != nil {
		t.Error(err)
	}
}

// A process is killed before each of its file operations in turn while a user is taken off the record and comes back.
func TestKilledDuringRemovals(t *testing.T) {
	_, operations := runKilled(t, t.TempDir(), "removals", 0)
	if operations < 30 {
		t.Fatalf("%d file operations: the files are not watched", operations)
	}
	for at := 1; at <= operations; at++ {
		dir := t.TempDir()
		acknowledged, _ := runKilled(t, dir, "removals", at)
		checkRemovals(t, dir, at, acknowledged)
	}
}
