package embedded

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.org/avatard/storage"
)

// A disk that was full for a moment is noticed to work again even when no change comes: a balancer sends no calls to a server that is not
// ready.
func TestReadyAgainWithoutCallers(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &faults{}
		s, err := Open(context.Background(), Config{Dir: dir, WrapFile: f.wrap})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		mustPut(t, s, 1, 5000)
		mustPut(t, s, 2, 5000)
		mustRemove(t, s, 2)
		mustRemove(t, s, 2) // nothing is left to be put on record
		f.set(func(_ int, name, _ string) bool { return name != slabName })
		if _, err := s.Remove(context.Background(), removal(1)); !errors.Is(err, storage.ErrUnavailable) {
			t.Fatalf("Remove = %v, want %v", err, storage.ErrUnavailable)
		}
		mustRemove(t, s, 2) // changes nothing, and says nothing of the disk
		if err := s.Ready(context.Background()); err == nil || !strings.Contains(err.Error(), "last change failed") {
			t.Errorf("Ready = %v after a call that wrote nothing, want the reason", err)
		}
		time.Sleep(10 * time.Minute) // of the test's own clock
		if err := s.Ready(context.Background()); err == nil || !strings.Contains(err.Error(), "last change failed") {
			t.Errorf("Ready = %v while the disk fails, want the reason", err)
		}
		f.set(nil)
		time.Sleep(2 * sweepDelayMax)
		if err := s.Ready(context.Background()); err != nil {
			t.Errorf("Ready = %v two minutes after the disk was well again", err)
		}
	})
}

// A store whose disk does not answer is not ready, once all callers that waited for it have gone.
func TestHangingDiskIsNotReady(t *testing.T) {
	for _, hanging := range []string{databaseName + "-wal", slabName} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			ctx := context.Background()
			f := &faults{}
			s, err := Open(ctx, Config{Dir: dir, WrapFile: f.wrap})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			mustPut(t, s, 1, 5000)
			time.Sleep(time.Hour) // of the test's own clock, like all here; nothing to do is no hang
			f.mode, f.hanging, f.back = failHanging, make(chan struct{}), make(chan struct{})
			f.set(func(_ int, name, op string) bool { return name == hanging && op == "sync" })
			answer := make(chan error)
			go func() {
				_, err := s.Remove(ctx, removal(1))
				answer <- err
			}()
			<-f.hanging
			time.Sleep(hangTimeout - time.Second)
			if err := s.Ready(ctx); err != nil {
				t.Errorf("%s: Ready = %v before its time", hanging, err)
			}
			time.Sleep(time.Second)
			if err := s.Ready(ctx); !errors.Is(err, storage.ErrUnavailable) || !strings.Contains(err.Error(), "not answered for 30s") {
				t.Errorf("%s: Ready = %v, want the reason", hanging, err)
			}
			f.set(nil)
			close(f.back)
			if err := <-answer; err != nil {
				t.Errorf("%s: Remove = %v", hanging, err)
			}
			synctest.Wait()
			time.Sleep(time.Hour)
			if err := s.Ready(ctx); err != nil {
				t.Errorf("%s: Ready = %v once the disk answers", hanging, err)
			}
		})
	}
}

// An upload that finds no room takes none: what is left of a full disk is for the records of deletes.
func TestFailedGrowthTakesNothing(t *testing.T) {
	ctx := context.Background()
	f := &faults{}
	dir := t.TempDir()
	s, err := Open(ctx, Config{Dir: dir, WrapFile: f.wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustPut(t, s, 1, 100)
	size := func() int64 {
		info, err := os.Stat(filepath.Join(dir, slabName))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	before := size()
	for _, failing := range []string{"write", "sync"} {
		calls := 0
		f.set(func(_ int, name, op string) bool {
			if name != slabName || op != failing {
				return false
			}
			calls++
			return op == "sync" || calls > 1 // the first write fits
		})
		if _, err := s.Put(ctx, upload(2, storage.MaxPictureBytes)); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("Put without room (%s) = %v, want %v", failing, err, storage.ErrUnavailable)
		}
		if got := size(); got != before {
			t.Errorf("after a %s that failed the slab has %d bytes, want %d", failing, got, before)
		}
	}
	f.set(nil)
	mustPut(t, s, 2, storage.MaxPictureBytes)
	mustRemove(t, s, 1)
}

// A user cannot fill the whole line.
func TestQueueIsBoundedForEachUser(t *testing.T) {
	var l queue
	l.init()
	key := testKey(1)
	for range 1 + maxBehind {
		if err := l.enter(&request{key: &key, done: make(chan struct{})}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.enter(&request{key: &key, done: make(chan struct{})}); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("one more = %v, want %v", err, storage.ErrUnavailable)
	}
	other := testKey(2)
	if err := l.enter(&request{key: &other, done: make(chan struct{})}); err != nil {
		t.Errorf("another user's = %v", err)
	}
}
