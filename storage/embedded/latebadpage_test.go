package embedded

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// A sync that one bad page makes fail is made again for each of those that were to be finished with it.
func TestBadPageShowsWithTheSync(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		bad := &lateBadPage{}
		s, err := Open(ctx, Config{Dir: dir, WrapFile: bad.wrap})
		if err != nil {
			t.Fatal(err)
		}
		for user := range 10 {
			mustPut(t, s, user, 3000)
		}
		bad.set(slotOf(t, s, 3), true)
		for user := range 10 {
			if _, err := s.Remove(ctx, removal(user)); !errors.Is(err, storage.ErrUnavailable) {
				t.Fatalf("Remove(%d) = %v", user, err)
			}
		}
		bad.set(slotOfErased(t, s, 3), false)
		time.Sleep(2 * sweepDelayMax) // of the test's own clock
		if got := s.Stats(); got.Stuck != 1 {
			t.Errorf("%d stuck, want the one on the bad page", got.Stuck)
		}
		if err := s.Ready(ctx); err != nil {
			t.Errorf("Ready = %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// lateBadPage is a slab that takes every write and fails the next sync when a page was among them, as Linux does; or all syncs.
type lateBadPage struct {
	mu      sync.Mutex
	page    int64
	all     bool
	touched bool
}

func (b *lateBadPage) set(page int64, all bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.page, b.all, b.touched = page, all, false
}

func (b *lateBadPage) wrap(name string, f File) File {
	if name != slabName {
		return f
	}
	return &lateBadFile{f, b}
}

type lateBadFile struct {
	File
	b *lateBadPage
}

func (f *lateBadFile) WriteAt(p []byte, off int64) (int, error) {
	f.b.mu.Lock()
	defer f.b.mu.Unlock()
	if f.b.page > 0 && off <= f.b.page*slab.PageBytes && f.b.page*slab.PageBytes < off+int64(len(p)) {
		f.b.touched = true
	}
	return f.File.WriteAt(p, off)
}

func (f *lateBadFile) Sync() error {
	f.b.mu.Lock()
	defer f.b.mu.Unlock()
	if f.b.all || f.b.touched {
		f.b.touched = false
		return syscall.EIO
	}
	return nil
}

func slotOfErased(t *testing.T, s *Store, user int) int64 {
	t.Helper()
	return count(t, s, `SELECT slot FROM generation WHERE state = 3 AND uid = (SELECT uid FROM user WHERE id = '`+testKey(user).ID+`')`)
}
