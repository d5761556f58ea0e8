package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/storagetest"
)

const testOrg2 = "globex"

// moveScenario is what a user goes through in runMoves: after each step the user has this picture, 0 for none, in this
// organisation.
var moveScenario = []struct {
	organization string
	picture      uint32
}{{testOrg, 1}, {testOrg, 1}, {testOrg2, 1}, {testOrg2, 2}, {testOrg, 2}, {testOrg, 0}, {testOrg2, 0}}

// runMoves does the steps of moveScenario and prints a line for each.
func runMoves(ctx context.Context, s *Store) error {
	pattern := storagetest.NewPattern(1)
	put := func(org string, picture uint32) error {
		_, err := s.Put(ctx, storage.Upload{User: testKey(1), Organization: org, By: testBy, Register: true,
			Picture: storage.Picture{Format: storage.PNG, Data: pattern.Picture(picture, 5000)}})
		return err
	}
	move := func(org string) error {
		_, moved, err := s.MoveUser(ctx, testKey(1), org, testBy)
		if err == nil && !moved {
			return errors.New("nothing was moved")
		}
		return err
	}
	for i, step := range []func() error{
		func() error { return put(testOrg, 1) },
		func() error { _, err := s.AddOrganization(ctx, testOrg2, testBy); return err },
		func() error { return move(testOrg2) },
		func() error { return put(testOrg2, 2) },
		func() error { return move(testOrg) },
		func() error {
			_, err := s.Remove(ctx, storage.Removal{User: testKey(1), Organization: testOrg2, AnyOrganization: true, By: testBy})
			return err
		},
		func() error { return move(testOrg2) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
		fmt.Println("done")
	}
	return nil
}

// A process is killed before each of its file operations in turn while a user is moved to and fro between uploads and a
// removal: the record is in one organisation or the other, with all that it had.
func TestKilledDuringMoves(t *testing.T) {
	_, operations := runKilled(t, t.TempDir(), "moves", 0)
	if operations < 40 {
		t.Fatalf("%d file operations: the files are not watched", operations)
	}
	for at := 1; at <= operations; at++ {
		dir := t.TempDir()
		acknowledged, _ := runKilled(t, dir, "moves", at)
		checkMoves(t, dir, at, acknowledged)
	}
}

// checkMoves opens what runMoves left when it was killed, and demands the state after the acknowledged steps or after
// the one that was under way.
func checkMoves(t *testing.T, dir string, at any, acknowledged int) {
	t.Helper()
	ctx := context.Background()
	pattern := storagetest.NewPattern(1)
	s := openTest(t, dir)
	if err := errors.Join(s.Ready(ctx), s.ErasuresDone(ctx)); err != nil {
		t.Errorf("killed at %v: %v", at, err)
	}
	found := acknowledged == 0
	var seen []string
	for _, step := range moveScenario[max(0, acknowledged-1):min(len(moveScenario), acknowledged+1)] {
		got, err := s.Get(ctx, testKey(1), step.organization)
		seen = append(seen, fmt.Sprintf("%s: %d bytes, %v", step.organization, len(got.Data), err))
		switch {
		case step.picture == 0:
			found = found || errors.Is(err, storage.ErrNoPicture)
		default:
			found = found || err == nil && bytes.Equal(got.Data, pattern.Picture(step.picture, 5000))
		}
	}
	if !found {
		t.Errorf("killed at %v after %d steps: %v", at, acknowledged, seen)
	}
	wantClean(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// twoOrganizations is what a move begins with.
func (d *diskScenario) twoOrganizations() {
	mustPut(d, d.s, 1, 5000)
	if _, err := d.s.AddOrganization(context.Background(), testOrg2, testBy); err != nil {
		d.Fatal(err)
	}
}

// moves moves a user to another organisation and back: each answer is true, and the picture stays.
func (d *diskScenario) moves() {
	d.Helper()
	for _, to := range []string{testOrg2, testOrg} {
		var res storage.Result
		d.try("MoveUser", func(ctx context.Context) (err error) {
			res, _, err = d.s.MoveUser(ctx, testKey(1), to, testBy)
			return err
		}, nil)
		if res.Details.Organization != to {
			d.Errorf("place %d: MoveUser = %+v, want a record of %s", d.at, res, to)
		}
		var got storage.Picture
		d.try("Get", func(ctx context.Context) (err error) { got, err = d.s.Get(ctx, testKey(1), to); return err }, nil)
		if !bytes.Equal(got.Data, upload(1, 5000).Picture.Data) {
			d.Fatalf("place %d: Get = %d bytes after a move", d.at, len(got.Data))
		}
	}
	d.f.set(nil)
	if res, moved, err := d.s.MoveUser(context.Background(), testKey(1), testOrg, testBy); err != nil || moved || res.Details.Sequence < 4 {
		d.Errorf("place %d: MoveUser again = %+v, %v, %v", d.at, res, moved, err)
	}
}

// A move stands in the audit trail of both organisations, once.
func TestMoveOnRecord(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, t.TempDir())
	mustPut(t, s, 1, 5000)
	if _, err := s.AddOrganization(ctx, testOrg2, testBy); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second one changes nothing
		if _, _, err := s.MoveUser(ctx, testKey(1), testOrg2, testBy); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	s.db.mu.Lock()
	err := s.db.once(`SELECT action, result, organization, target, caller FROM audit WHERE action LIKE 'move%' ORDER BY seq`,
		func(row *sqlite3.Stmt) bool {
			got = append(got, fmt.Sprint(row.ColumnText(0), row.ColumnText(1), row.ColumnText(2), row.ColumnText(3), row.ColumnText(4)))
			return true
		})
	s.db.mu.Unlock()
	want := []string{
		fmt.Sprint("move-from", "done", testOrg, testKey(1).ID, testBy.Caller),
		fmt.Sprint("move-to", "done", testOrg2, testKey(1).ID, testBy.Caller),
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("audit trail, %v (-want +got):\n%s", err, diff)
	}
}
