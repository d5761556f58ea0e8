package embedded

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/test/clock"
)

// badReads is a disk that reads pages of the database wrong, or not at all.
type badReads struct {
	mode atomic.Int32 // 0 well, 1 a wrong bit, 2 an error
}

type badFile struct {
	File
	b *badReads
}

func (b *badReads) wrap(name string, f File) File {
	if name != databaseName {
		return f
	}
	return &badFile{f, b}
}

func (f *badFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	switch f.b.mode.Load() {
	case 1:
		p[n/2] ^= 1
	case 2:
		return 0, syscall.EIO
	}
	return n, err
}

// openWithoutPages opens a store of a few users and makes it forget all pages of the database, so that it has to read them.
func openWithoutPages(t *testing.T, cfg Config) *Store {
	t.Helper()
	s, err := Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() }) // what cannot be put on record is no matter here
	each(1, 5, func(i int) { mustPut(t, s, i, 500) })
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	if err := s.db.truncateLog(); err != nil {
		t.Fatal(err)
	}
	if err := s.db.conn.Exec("PRAGMA shrink_memory"); err != nil {
		t.Fatal(err)
	}
	return s
}

// Damage that shows while the store serves: who is concerned is told to come back, Ready names the file and what to do, and
// goes on doing so, because damage does not heal.
func TestDamageWhileServing(t *testing.T) {
	ctx := context.Background()
	bad, stands := &badReads{}, clock.At(time.Unix(1_700_000_000, 0))
	s := openWithoutPages(t, Config{Dir: t.TempDir(), WrapFile: bad.wrap, Now: stands.Now})
	bad.mode.Store(1)
	if _, err := s.Get(ctx, testKey(1), testOrg); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Get = %v, want %v", err, storage.ErrUnavailable)
	}
	if _, err := s.Remove(ctx, removal(2)); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Remove = %v, want %v", err, storage.ErrUnavailable)
	}
	bad.mode.Store(0)
	if _, err := s.Get(ctx, testKey(1), testOrg); err != nil {
		t.Errorf("Get of a page that is well = %v", err)
	}
	mustRemove(t, s, 3)
	stands.Advance(24 * time.Hour)
	if err := s.Ready(ctx); !errors.Is(err, storage.ErrDamaged) || !strings.Contains(err.Error(), databaseName) ||
		!strings.Contains(err.Error(), "from a backup") {
		t.Errorf("Ready a day later = %v, want %v, the file and what to do", err, storage.ErrDamaged)
	}
}

// A read that failed keeps the store from being ready until one goes well, or for a minute.
func TestReadThatFails(t *testing.T) {
	ctx := context.Background()
	bad, stands := &badReads{}, clock.At(time.Unix(1_700_000_000, 0))
	s := openWithoutPages(t, Config{Dir: t.TempDir(), WrapFile: bad.wrap, Now: stands.Now})
	bad.mode.Store(2)
	if _, err := s.Get(ctx, testKey(1), testOrg); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Get = %v, want %v", err, storage.ErrUnavailable)
	}
	if err := s.Ready(ctx); !errors.Is(err, syscall.EIO) || errors.Is(err, storage.ErrDamaged) {
		t.Errorf("Ready = %v, want %v", err, syscall.EIO)
	}
	stands.Advance(faultMemory)
	if err := s.Ready(ctx); err != nil {
		t.Errorf("Ready a minute later = %v", err)
	}
	if _, err := s.Get(ctx, testKey(1), testOrg); !errors.Is(err, storage.ErrUnavailable) || s.Ready(ctx) == nil {
		t.Errorf("Get = %v, Ready = %v, want the reason again", err, s.Ready(ctx))
	}
	bad.mode.Store(0)
	if _, err := s.Get(ctx, testKey(1), testOrg); err != nil {
		t.Errorf("Get once the disk reads = %v", err)
	}
	if err := s.Ready(ctx); err != nil {
		t.Errorf("Ready then = %v", err)
	}
}

// While the disk does not answer a change, reads of others go on.
func TestReadsBesideAHangingDisk(t *testing.T) {
	for _, name := range []string{logName, slabName} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			ctx := context.Background()
			f := &faults{mode: failHanging, hanging: make(chan struct{}), back: make(chan struct{})}
			s, err := Open(ctx, Config{Dir: dir, WrapFile: f.wrap})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			mustPut(t, s, 1, 500)
			mustPut(t, s, 2, 500)
			f.set(func(_ int, file, op string) bool { return file == name && op == "sync" })
			var change sync.WaitGroup
			change.Go(func() { mustRemove(t, s, 1) })
			<-f.hanging
			time.Sleep(hangTimeout + time.Second) // of the test's own clock
			if _, err := s.Get(ctx, testKey(2), testOrg); err != nil {
				t.Errorf("Get while %s does not answer = %v", name, err)
			}
			f.set(nil)
			close(f.back)
			change.Wait()
			if _, err := s.Get(ctx, testKey(2), testOrg); err != nil {
				t.Errorf("Get once %s answers = %v", name, err)
			}
		})
	}
}

// roomFile is a file on a disk that is full: what is there can be overwritten, nothing can be added.
type roomFile struct {
	File
	full *atomic.Bool
	end  int64
}

func (f *roomFile) WriteAt(p []byte, off int64) (int, error) {
	if end := off + int64(len(p)); end > f.end {
		if f.full.Load() {
			return 0, syscall.ENOSPC
		}
		f.end = end
	}
	return f.File.WriteAt(p, off)
}

func (f *roomFile) Truncate(size int64) error {
	f.end = min(f.end, size)
	return f.File.Truncate(size)
}

// A full disk takes no new pages. Deletes go on as long as the log has room that it used before, uploads as long as there are
// free slots; after that both say 503, Ready says why, and all is done when there is room.
func TestFullDisk(t *testing.T) {
	ctx := context.Background()
	var full atomic.Bool
	s, err := Open(ctx, Config{Dir: t.TempDir(), WrapFile: func(_ string, f File) File { return &roomFile{File: f, full: &full} }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	each(1, 20, func(i int) { mustPut(t, s, i, 5000) })
	s.db.mu.Lock()
	if err := s.db.conn.Exec("PRAGMA wal_checkpoint"); err != nil { // the log begins anew, in the room it has
		t.Error(err)
	}
	s.db.mu.Unlock()
	full.Store(true)
	each(1, 10, func(i int) { mustRemove(t, s, i) })
	for i := 0; err == nil && i < 5000; i++ {
		_, err = s.AddOrganization(ctx, fmt.Sprint("org-", i), testBy)
	}
	if _, again := s.Remove(ctx, removal(10)); !errors.Is(err, syscall.ENOSPC) || !errors.Is(again, storage.ErrUnavailable) ||
		!errors.Is(again, syscall.ENOSPC) {
		t.Errorf("AddOrganization = %v, Remove = %v once the log is full, want %v and %v", err, again, storage.ErrUnavailable, syscall.ENOSPC)
	}
	if err := s.Ready(ctx); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Ready = %v, want %v", err, syscall.ENOSPC)
	}
	if _, err := s.Put(ctx, upload(30, 300_000)); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Put = %v, want %v", err, storage.ErrUnavailable)
	}
	full.Store(false)
	mustRemove(t, s, 10)
	mustPut(t, s, 30, 300_000)
	if err := s.Ready(ctx); err != nil {
		t.Errorf("Ready with room = %v", err)
	}
}
