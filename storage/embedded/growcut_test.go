package embedded

import (
	"context"
	"errors"
	"testing"

	"example.org/avatard/storage"
)

// A region whose record was written and could not be synced may be on record after a crash. Until a later commit has taken its
// place, the file keeps its pages, whatever else fails or tidies up; after that it is cut, and the store grows again.
func TestRegionThatMayBeOnRecord(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	f := &faults{}
	s, err := Open(ctx, Config{Dir: dir, WrapFile: f.wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustPut(t, s, 1, 1000)
	crash := func(when string) {
		t.Helper()
		again, err := Open(ctx, Config{Dir: copyDir(t, dir)})
		if err != nil {
			t.Fatalf("Open after a crash, %s = %v", when, err)
		}
		defer again.Close()
		mustPut(t, again, 2, 50_000)
		for user := range 2 {
			if _, err := again.Get(ctx, testKey(user+1), testOrg); err != nil {
				t.Errorf("Get after a crash, %s = %v", when, err)
			}
		}
		wantClean(t, again)
	}
	refused := func(when string) {
		t.Helper()
		if _, err := s.Put(ctx, upload(2, 50_000)); !errors.Is(err, storage.ErrUnavailable) {
			t.Fatalf("Put of a size that has no region, %s = %v, want %v", when, err, storage.ErrUnavailable)
		}
		crash(when)
	}
	f.set(func(_ int, name, op string) bool { return name == logName && op == "sync" })
	refused("the log not synced")
	f.set(func(_ int, name, op string) bool { return name == logName || name == slabName && op == "sync" })
	refused("the slab not synced either")
	f.set(func(_ int, name, _ string) bool { return name == logName })
	if err := s.Tidy(ctx); err == nil {
		t.Error("Tidy = nil while the log fails")
	}
	crash("tidied up")
	f.set(nil)
	if _, err := s.Check(ctx, storage.CheckOptions{Repair: true, By: testBy}, func(storage.Finding) error { return nil }); err != nil {
		t.Errorf("Check = %v", err)
	}
	crash("repaired")
	sweepNow(s)
	mustTidy(t, s)
	crash("the disk well again")
	mustPut(t, s, 2, 50_000)
	if err := s.Ready(ctx); err != nil {
		t.Errorf("Ready = %v once the store has grown", err)
	}
}
