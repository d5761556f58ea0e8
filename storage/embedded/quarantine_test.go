package embedded

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/datadir"
	"example.org/avatard/storage/embedded/internal/slab"
)

// badSlots are pages of a slab that cannot be written.
type badSlots struct {
	mu    sync.Mutex
	pages []int64
}

func (b *badSlots) set(pages ...int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pages = pages
}

func (b *badSlots) wrap(name string, f File) File {
	if name != slabName {
		return f
	}
	return &badSlotsFile{f, b}
}

type badSlotsFile struct {
	File
	b *badSlots
}

func (f *badSlotsFile) WriteAt(p []byte, off int64) (int, error) {
	f.b.mu.Lock()
	defer f.b.mu.Unlock()
	for _, page := range f.b.pages {
		if off <= page*slab.PageBytes && page*slab.PageBytes < off+int64(len(p)) {
			return 0, syscall.EIO
		}
	}
	return f.File.WriteAt(p, off)
}

// Punch is one where the file below can do it.
func (f *badSlotsFile) Punch(off, n int64) error {
	below, ok := f.File.(datadir.Puncher)
	if !ok {
		return errors.ErrUnsupported
	}
	return below.Punch(off, n)
}

func (f *badSlotsFile) Sync() error { return nil } // nothing here loses power

// openBad opens a store on a slab with bad pages. Time is the test's own.
func openBad(t *testing.T, dir string, bad *badSlots, log *bytes.Buffer) *Store {
	t.Helper()
	s, err := Open(context.Background(), Config{Dir: dir, WrapFile: bad.wrap, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// slotOf returns where a user's picture lies.
func slotOf(t *testing.T, s *Store, user int) (slot int64) {
	t.Helper()
	return count(t, s, `SELECT slot FROM generation WHERE state = 2 AND uid = (SELECT uid FROM user WHERE id = '`+testKey(user).ID+`')`)
}

// A page that cannot be written concerns only the users whose picture lies there. An upload to it fails, and goes to another slot the next
// time; the slot is out of use from then on, and other users notice nothing.
func TestBadPageOfAnUpload(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		bad := &badSlots{}
		s := openBad(t, dir, bad, &log)
		mustPut(t, s, 1, 5000)
		first := removed(t, s, 1)
		mustRemove(t, s, 1) // a group commit, with which the slot is free
		free := count(t, s, `SELECT slot FROM generation`)
		bad.set(free)
		wantStuckUpload(t, s)
		time.Sleep(time.Minute) // of the test's own clock
		if err := errors.Join(s.Ready(t.Context()), s.ErasuresDone(t.Context())); err != nil {
			t.Errorf("%v a minute later", err)
		}
		if got := s.Stats(); got.Quarantined != 1 || got.Stuck != 0 || got.Pending != 0 {
			t.Errorf("%d in quarantine, %d stuck, %d pending, want 1, 0, 0", got.Quarantined, got.Stuck, got.Pending)
		}
		if res := removed(t, s, 1); res != first {
			t.Errorf("Remove = %+v, want %+v: nothing was acknowledged since", res, first)
		}
		wantOutOfUse(t, s, free, first)
		if n := strings.Count(log.String(), "out of use"); n != 1 {
			t.Errorf("%d lines tell of the slot, want one:\n%s", n, &log)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openBad(t, dir, bad, &log)
		if got := s.Stats(); got.Quarantined != 1 || got.Stuck != 0 {
			t.Errorf("%d in quarantine, %d stuck after a restart, want 1, 0", got.Quarantined, got.Stuck)
		}
		wantOutOfUse(t, s, free, first)
		repairBadPage(t, s, bad)
		for user := range 40 {
			mustRemove(t, s, user)
		}
		wantClean(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		checkEmptySlab(t, dir)
	})
}

// wantStuckUpload uploads to a bad page, and demands that its user is answered 503 and the store is ready.
func wantStuckUpload(t *testing.T, s *Store) {
	t.Helper()
	ctx := t.Context()
	if _, err := s.Put(ctx, upload(1, 5000)); !errors.Is(err, storage.ErrUnavailable) {
		t.Fatalf("Put to a bad page = %v, want %v", err, storage.ErrUnavailable)
	}
	if err := s.Ready(ctx); err != nil {
		t.Errorf("Ready = %v: one page does not end the service for all", err)
	}
	if err := s.ErasuresDone(ctx); err == nil {
		t.Error("ErasuresDone = nil, want the stuck erasure")
	}
	if _, err := s.Remove(ctx, removal(1)); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Remove = %v, want %v until it is known to be one bad page", err, storage.ErrUnavailable)
	}
}

// wantOutOfUse demands that no upload gets a slot that is in quarantine, and that receipts go on without it. first is what the last removal
// before the quarantine returned.
func wantOutOfUse(t *testing.T, s *Store, slot int64, first storage.Result) {
	t.Helper()
	for user := range 40 {
		mustPut(t, s, user, 5000)
		if slotOf(t, s, user) == slot {
			t.Errorf("user %d has the slot that is out of use", user)
		}
	}
	if res := removed(t, s, 1); res.Receipt == first.Receipt || res.Receipt == "" {
		t.Errorf("Remove of another picture shows receipt %q", res.Receipt)
	}
	if n := count(t, s, `SELECT count(*) FROM receipt WHERE seq > (SELECT watermark FROM store)`); n > 1 {
		t.Errorf("the watermark is %d receipts behind", n)
	}
	found := checkStore(t, s, false)
	if len(found) != 1 || found[0].Kind != SlotQuarantined || found[0].Page != slot {
		t.Errorf("a check finds %+v, want the slot in quarantine", found)
	}
}

// repairBadPage repairs the store while its one bad page is bad, and once it works.
func repairBadPage(t *testing.T, s *Store, bad *badSlots) {
	t.Helper()
	found := checkStore(t, s, true)
	if len(found) != 1 || found[0].Repaired {
		t.Errorf("a repair on a page that is still bad = %+v", found)
	}
	bad.set()
	found = checkStore(t, s, true)
	if len(found) != 1 || !found[0].Repaired {
		t.Errorf("a repair on a page that works again = %+v", found)
	}
	mustRemove(t, s, 2) // what is finished goes on record with a group commit
	mustRemove(t, s, 2)
	if got := s.Stats(); got.Quarantined != 0 {
		t.Errorf("%d in quarantine after the repair", got.Quarantined)
	}
}

// The erasure of a picture that was acknowledged is never given up. Its user gets 503 as long as it takes, Ready does not fail for
// it, and all other users are served.
func TestBadPageOfAPicture(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		var log bytes.Buffer
		bad := &badSlots{}
		s := openBad(t, dir, bad, &log)
		for user := range 4 {
			mustPut(t, s, user, 5000)
		}
		bad.set(slotOf(t, s, 1))
		for restart := range 2 {
			for range 3 {
				if _, err := s.Remove(ctx, removal(1)); !errors.Is(err, storage.ErrUnavailable) {
					t.Errorf("Remove = %v, want %v", err, storage.ErrUnavailable)
				}
				time.Sleep(time.Hour) // of the test's own clock
			}
			if err := s.Ready(ctx); err != nil {
				t.Errorf("Ready = %v: one page does not end the service for all", err)
			}
			if err := s.ErasuresDone(ctx); err == nil || !strings.Contains(err.Error(), "1 erasures") {
				t.Errorf("ErasuresDone = %v, want the stuck erasure named", err)
			}
			if got := s.Stats(); got.Quarantined != 0 || got.Stuck != 1 {
				t.Errorf("%d in quarantine, %d stuck, want 0 and 1", got.Quarantined, got.Stuck)
			}
			mustPut(t, s, 2, 5000)
			mustRemove(t, s, 2)
			if restart == 0 {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = openBad(t, dir, bad, &log)
			}
		}
		if n := strings.Count(log.String(), "level=ERROR"); n > 800 { // one a minute, in six hours
			t.Errorf("%d errors in the log", n)
		}
		bad.set()
		mustRemove(t, s, 1)
		if err := errors.Join(s.Ready(ctx), s.ErasuresDone(ctx), s.Close()); err != nil {
			t.Errorf("%v once the page is well", err)
		}
	})
}

// An erasure that cannot be finished does not keep others from being finished, whether it breaks the transaction or the sync that all
// share. When the whole slab fails, no slot goes into quarantine.
func TestSweepOneByOne(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		f := &faults{}
		open := func() *Store {
			t.Helper()
			s, err := Open(ctx, Config{Dir: dir, WrapFile: f.wrap})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := open()
		const users = 70 // more than are swept together
		for user := range users {
			mustPut(t, s, user, 3000)
		}
		f.set(func(_ int, name, _ string) bool { return name == slabName })
		for user := range users {
			if _, err := s.Remove(ctx, removal(user)); !errors.Is(err, storage.ErrUnavailable) {
				t.Fatalf("Remove on a broken slab = %v", err)
			}
		}
		if _, err := s.Put(ctx, upload(0, 3000)); !errors.Is(err, storage.ErrUnavailable) {
			t.Fatalf("Put on a broken slab = %v", err)
		}
		if err := s.Ready(ctx); err == nil || !strings.Contains(err.Error(), "pictures cannot be written") {
			t.Errorf("Ready = %v, want the slab", err)
		}
		time.Sleep(time.Hour) // of the test's own clock
		if got := s.Stats(); got.Quarantined != 0 || got.Stuck != users+1 {
			t.Errorf("%d in quarantine, %d stuck on a broken slab, want 0 and %d", got.Quarantined, got.Stuck, users+1)
		}
		f.set(nil)
		onCommitter(s, func() { // a row that no step of the engine leaves: its user is not there
			s.db.lock()
			defer s.db.mu.Unlock()
			if err := s.db.conn.Exec(`PRAGMA foreign_keys = OFF; INSERT INTO generation VALUES (1000000, zeroblob(16), 777777, 1, 3000, 2, NULL); PRAGMA foreign_keys = ON`); err != nil {
				t.Error(err)
			}
			s.orphans = append(s.orphans, orphanedUpload{uid: 777777, slot: 1000000})
		})
		time.Sleep(2 * sweepDelayMax)
		if got := s.Stats(); got.Stuck != 1 || got.Quarantined != 0 {
			t.Errorf("%d stuck, want only the one whose row is damaged", got.Stuck)
		}
		if err := s.Ready(ctx); err != nil {
			t.Errorf("Ready = %v with one that cannot be finished", err)
		}
		mustPut(t, s, 0, 3000)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// A transaction that cannot be committed is logged once in a while, however many changes are in it and however often they come.
func TestFailuresAreLoggedOnceInAWhile(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		var log bytes.Buffer
		f := &faults{}
		s, err := Open(ctx, Config{Dir: dir, WrapFile: f.wrap, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		mustPut(t, s, 1, 300)
		f.set(func(_ int, name, op string) bool { return name == logName && op == "write" })
		for range 2 {
			var all sync.WaitGroup
			for range 50 {
				for user := range 20 {
					all.Go(func() { _, _ = s.Put(ctx, upload(user, 300)) })
				}
			}
			all.Wait()
			time.Sleep(failureInterval)
		}
		lines := slices.Collect(strings.Lines(log.String()))
		if n := strings.Count(log.String(), "could not be committed"); n < 2 || n > 3 {
			t.Errorf("%d lines for thousands of failures:\n%.2000s", n, log.String())
		}
		if len(lines) > 6 || !strings.Contains(log.String(), "omitted=") {
			t.Errorf("%d lines in all, want few, with a count of those left out", len(lines))
		}
		f.set(nil)
	})
}

func removed(t *testing.T, s *Store, user int) storage.Result {
	t.Helper()
	res, err := s.Remove(context.Background(), removal(user))
	if err != nil {
		t.Errorf("Remove = %v", err)
	}
	return res
}
