package embedded

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.org/avatard/storage"
)

// badPages is a disk on which two pages of the database cannot be written, or the whole of it not be synced.
type badPages struct {
	mode atomic.Int32 // 0 well, 1 the pages, 2 the sync

	mu    sync.Mutex
	tries []time.Time // that failed
}

func (b *badPages) fail() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tries = append(b.tries, time.Now())
	return syscall.EIO
}

// take returns the tries, and forgets all but the first.
func (b *badPages) take() (tries []time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	tries = slices.Clone(b.tries)
	b.tries = b.tries[:min(1, len(b.tries))]
	return tries
}

type badPagesFile struct {
	File
	b *badPages
}

func (b *badPages) wrap(name string, f File) File {
	if name != databaseName {
		return f
	}
	return &badPagesFile{f, b}
}

func (f *badPagesFile) WriteAt(p []byte, off int64) (int, error) {
	if f.b.mode.Load() == 1 && off >= 4096 && off < 12288 {
		return 0, f.b.fail()
	}
	return f.File.WriteAt(p, off)
}

func (f *badPagesFile) Sync() error {
	if f.b.mode.Load() == 2 {
		return f.b.fail()
	}
	return nil // nothing here loses power
}

// A database that does not take what the log holds is seen: Ready and one line of the log name it, it is counted and tried
// again, less and less often. Nothing is lost, and all is well by itself once the disk is.
func TestCheckpointThatFails(t *testing.T) {
	for mode, what := range map[int32]string{1: "two pages", 2: "the sync"} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			ctx := context.Background()
			var log bytes.Buffer
			bad := &badPages{}
			cfg := Config{Dir: dir, WrapFile: bad.wrap, Logger: slog.New(slog.NewTextHandler(&log, nil))}
			s, err := Open(ctx, cfg)
			if err != nil {
				t.Fatal(err)
			}
			mustPut(t, s, 0, 3000)
			bad.mode.Store(mode)
			for i := 1; s.Ready(ctx) == nil; i++ {
				if i > 1500 {
					t.Fatalf("%s: ready after %d changes that the database does not take", what, 2*i)
				}
				mustPut(t, s, i%9, 3000)
				mustRemove(t, s, i%9)
			}
			if err := s.Ready(ctx); !errors.Is(err, storage.ErrUnavailable) || !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), databaseName) {
				t.Errorf("%s: Ready = %v, want the file and the reason", what, err)
			}
			wantTries(t, what, s, bad)
			if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
				t.Errorf("%s: %d errors in the log, want one:\n%s", what, n, &log)
			}
			if got := s.Stats(); got.CheckpointFailures < 10 {
				t.Errorf("%s: %d failures are counted", what, got.CheckpointFailures)
			}
			if err := s.Close(); !errors.Is(err, syscall.EIO) {
				t.Errorf("%s: Close = %v, want %v", what, err, syscall.EIO)
			}
			if _, err := Open(ctx, cfg); !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), databaseName) ||
				!strings.Contains(err.Error(), "look at the disk") {
				t.Errorf("%s: Open = %v, want the file and what to do", what, err)
			}
			bad.mode.Store(0)
			if s, err = Open(ctx, cfg); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Get(ctx, testKey(1), testOrg); err != nil {
				t.Errorf("%s: Get of what was acknowledged = %v", what, err)
			}
			if err := errors.Join(s.Ready(ctx), s.Close()); err != nil {
				t.Errorf("%s: %v once the disk works", what, err)
			}
		})
	}
}

// wantTries demands that a checkpoint that fails is tried again, less and less often, and that the log still takes changes.
func wantTries(t *testing.T, what string, s *Store, bad *badPages) {
	t.Helper()
	bad.take()
	time.Sleep(10 * time.Minute) // of the test's own clock
	mustPut(t, s, 1, 3000)
	want, tries := checkpointDelayMin, bad.take()
	for i := 1; i < len(tries); i++ {
		if gap := tries[i].Sub(tries[i-1]); gap != want {
			t.Errorf("%s: try %d came %v after the one before, want %v", what, i, gap, want)
		}
		want = min(2*want, checkpointDelayMax)
	}
	if n := len(tries); n < 10 {
		t.Errorf("%s: %d tries in ten minutes", what, n)
	}
}

// A log that cannot be moved is bounded: first new uploads and registrations are refused, then deletes, too, and Ready says so. Everything
// that was acknowledged stays, and the store works again by itself once the disk does.
func TestLogIsBounded(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		bad := &badPages{}
		s, err := Open(ctx, Config{Dir: dir, WrapFile: bad.wrap})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for i := range 300 {
			mustPut(t, s, i, 200)
		}
		onCommitter(s, func() { s.checkpoints.bound = 12 << 20 })
		bad.mode.Store(1)
		size := func() int64 { return fileSize(t, dir, logName) }
		for i := 0; err == nil; i++ {
			if size() > 8<<20 {
				t.Fatalf("%d bytes of log, and uploads are taken", size())
			}
			_, err = s.Put(ctx, upload(i%300, 200))
		}
		if !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("Put = %v, want %v", err, storage.ErrUnavailable)
		}
		if err := s.Ready(ctx); err == nil || !strings.Contains(err.Error(), "cannot be moved") {
			t.Errorf("Ready = %v, want the reason", err)
		}
		wantNothingNew(t, s)
		for i := range 20 {
			mustRemove(t, s, i)
		}
		onCommitter(s, func() { s.checkpoints.bound = 1 << 20 })
		before := size()
		for i := range 50 {
			if _, err := s.Remove(ctx, removal(20+i)); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("Remove over the bound = %v, want %v", err, storage.ErrUnavailable)
			}
			if _, err := s.Get(ctx, testKey(20+i), testOrg); err != nil {
				t.Errorf("Get of what was not deleted = %v", err)
			}
		}
		mustRemove(t, s, 0) // has nothing to do
		if grown := size() - before; grown > 1<<20 {
			t.Errorf("refused changes made the log %d bytes longer", grown)
		}
		bad.mode.Store(0)
		time.Sleep(2 * checkpointDelayMax) // of the test's own clock
		if err := s.Ready(ctx); err != nil {
			t.Errorf("Ready = %v once the disk works", err)
		}
		if got := size(); got != 0 {
			t.Errorf("%d bytes of log when nobody has come for a while", got)
		}
		mustRemove(t, s, 20)
		mustPut(t, s, 1000, 200)
	})
}

// fileSize returns the length of a file of a data directory, in bytes.
func fileSize(t *testing.T, dir, name string) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// wantNothingNew demands that users and organisations are not registered any more, and that those of before are known.
func wantNothingNew(t *testing.T, s *Store) {
	t.Helper()
	ctx := context.Background()
	if _, _, err := s.AddUser(ctx, testKey(1000), testOrg, testBy); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("AddUser of a new user = %v, want %v", err, storage.ErrUnavailable)
	}
	if _, _, err := s.AddUser(ctx, testKey(1), testOrg, testBy); err != nil {
		t.Errorf("AddUser of a user who is there = %v", err)
	}
	if _, err := s.AddOrganization(ctx, "new", testBy); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("AddOrganization = %v, want %v", err, storage.ErrUnavailable)
	}
}

// The log of an idle store is emptied, unless it is short.
func TestIdleLog(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		s, err := Open(context.Background(), Config{Dir: dir, WrapFile: f.wrap})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var moves atomic.Int64
		f.set(func(_ int, name, op string) bool {
			if name == databaseName && op == "sync" {
				moves.Add(1)
			}
			return false
		})
		for i := range 300 {
			mustPut(t, s, i%20, 300)
		}
		synctest.Wait()
		if made := moves.Load(); made != s.checkpointsMade() || made == 0 {
			t.Errorf("%d checkpoints, %d are counted", made, s.checkpointsMade())
		}
		time.Sleep(2 * idleTime) // of the test's own clock
		if got := s.Stats().LogBytes; got != 0 {
			t.Errorf("%d bytes of log when nobody has come for a while", got)
		}
		mustRemove(t, s, 1)
		before := moves.Load()
		time.Sleep(time.Hour)
		if got := s.Stats().LogBytes; got == 0 || got > logIdle || moves.Load() != before {
			t.Errorf("%d bytes of log, and %d checkpoints for one delete", got, moves.Load()-before)
		}
	})
}

func (s *Store) checkpointsMade() int64 { return int64(total(s.Stats().CheckpointSeconds)) }
