package embedded

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

func total(d storage.Distribution) (n uint64) {
	for _, count := range d.Counts {
		n += count
	}
	return n
}

// Each change of a lone caller has a group commit to itself: an upload two, because it is made active in a second one.
func TestStatsCountWork(t *testing.T) {
	s := openTest(t, t.TempDir())
	mustPut(t, s, 1, 5000)
	mustRemove(t, s, 1)
	mustRemove(t, s, 1) // nothing to do, but a group commit
	got := s.Stats()
	if groups := got.GroupCommitChanges; total(groups) != 4 || groups.Sum != 4 || groups.Counts[0] != 4 {
		t.Errorf("%d group commits with %v changes, want 4 with 4: %v", total(groups), groups.Sum, groups.Counts)
	}
	if commits := total(got.CommitSeconds); commits < 4 {
		t.Errorf("%d commits, want at least one a group commit", commits)
	}
	if syncs := total(got.SlabSyncSeconds); syncs != 2 || got.Erased != 1 {
		t.Errorf("%d syncs of the slab and %d erased, want 2 and 1", syncs, got.Erased)
	}
	if got.Pending != 0 || got.OldestPending != 0 || got.CommitFailures != 0 || got.SlabSyncFailures != 0 {
		t.Errorf("%d pending for %v, %d and %d failures, want none",
			got.Pending, got.OldestPending, got.CommitFailures, got.SlabSyncFailures)
	}
	var inSlots, free int64
	for _, slots := range got.Slots {
		inSlots += slots.Bytes * slots.Total
		free += slots.Free
	}
	if got.SlabBytes != inSlots+slab.PageBytes || free == 0 {
		t.Errorf("slab of %d bytes with %d in slots, %d of them free: want a page more than the slots, and free ones",
			got.SlabBytes, inSlots, free)
	}
	got.GroupCommitChanges.Counts[0] = 1000
	got.SlabBytes, got.Slots[0].Bytes = 1000, 1000
	if again := s.Stats(); again.GroupCommitChanges.Counts[0] == 1000 || again.SlabBytes == 1000 || again.Slots[0].Bytes == 1000 {
		t.Error("what Stats returned is the store's own")
	}
}

// An erasure counts as pending from its intent until its bytes are gone, across a restart, and its age is told.
func TestStatsPending(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		f := &faults{}
		s, err := Open(ctx, Config{Dir: dir, WrapFile: f.wrap})
		if err != nil {
			t.Fatal(err)
		}
		mustPut(t, s, 1, 5000)
		during := storage.Stats{}
		failing := func(_ int, name, op string) bool {
			if name != slabName || op != "sync" {
				return false
			}
			during = s.Stats()
			return true
		}
		f.set(failing)
		if _, err := s.Remove(ctx, removal(1)); err == nil {
			t.Fatal("Remove succeeded on a failing slab")
		}
		if during.Pending != 1 || during.Erased != 0 {
			t.Errorf("while the slab was synced %d were pending and %d erased, want 1 and 0", during.Pending, during.Erased)
		}
		time.Sleep(500 * time.Millisecond) // of the test's own clock; before the next try
		if got := s.Stats(); got.Pending != 1 || got.OldestPending.Round(time.Millisecond) != 500*time.Millisecond || got.SlabSyncFailures != 1 {
			t.Errorf("%d pending for %v after %d failures, want 1 for 500ms after 1", got.Pending, got.OldestPending, got.SlabSyncFailures)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}

		time.Sleep(time.Hour)
		f.set(func(_ int, name, op string) bool { return name == slabName && op == "sync" })
		if s, err = Open(ctx, Config{Dir: dir, WrapFile: f.wrap}); err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if got := s.Stats(); got.Pending != 1 || got.OldestPending.Truncate(time.Minute) != time.Hour {
			t.Errorf("%d pending for %v after a restart an hour later, want 1 for an hour", got.Pending, got.OldestPending)
		}
		f.set(nil)
		sweepNow(s)
		if got := s.Stats(); got.Pending != 0 || got.OldestPending != 0 || got.Erased != 1 {
			t.Errorf("%d pending for %v, %d erased, once the slab works: want 0, 0s, 1", got.Pending, got.OldestPending, got.Erased)
		}
	})
}
