package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/datadir"
	"example.org/avatard/storage/embedded/internal/slab"
	"example.org/avatard/storage/storagetest"
)

// pagesFile is a slab on a disk with so many pages left: writing to a page that has no block takes one, and a hole gives its blocks back.
type pagesFile struct {
	File
	disk *pagesDisk
}

type pagesDisk struct {
	mu      sync.Mutex
	blocks  map[int64]bool
	left    int  // pages without a block that may be written yet
	punches int  // how many there were
	refuses bool // makes no more of them
}

func (d *pagesDisk) wrap(name string, f File) File {
	if name != slabName {
		return f
	}
	return &pagesFile{f, d}
}

func (f *pagesFile) WriteAt(p []byte, off int64) (n int, err error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	for n < len(p) {
		page := (off + int64(n)) / slab.PageBytes
		if !f.disk.blocks[page] {
			if f.disk.left == 0 {
				return n, syscall.ENOSPC
			}
			f.disk.left--
			f.disk.blocks[page] = true
		}
		part := p[n:min(len(p), n+slab.PageBytes)]
		if _, err := f.File.WriteAt(part, off+int64(n)); err != nil {
			return n, err
		}
		n += len(part)
	}
	return n, nil
}

func (f *pagesFile) Sync() error { return nil }

func (f *pagesFile) Punch(off, n int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.refuses {
		return syscall.EIO
	}
	f.disk.punches++
	for page := off / slab.PageBytes; page < (off+n)/slab.PageBytes; page++ {
		if f.disk.blocks[page] {
			delete(f.disk.blocks, page)
			f.disk.left++
		}
	}
	return f.File.(datadir.Puncher).Punch(off, n)
}

func (d *pagesDisk) setLeft(pages int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = pages
}

// A hole needs blocks when it is written to, and the disk may have none. Then the upload fails, wherever that happens, and is erased
// without blocks, so its user is not locked out. A picture that was acknowledged has all the blocks of its slot, also those behind its
// bytes, so every delete works.
func TestFullDiskUnderHoles(t *testing.T) {
	needsHoles(t)
	ctx := context.Background()
	dir := t.TempDir()
	d := &pagesDisk{blocks: map[int64]bool{}, left: 1 << 20}
	s, err := Open(ctx, Config{Dir: dir, WrapFile: d.wrap})
	if err != nil {
		t.Fatal(err)
	}
	pattern := storagetest.NewPattern(1)
	put := func(user, size int) error { return putPattern(ctx, s, pattern, user, size) }
	// Of 17 pages, in slots of 24.
	const users, size, pages, slot = 40, 17*slab.PageBytes - 100, 17, 24
	each := func(n int) {
		t.Helper()
		for i := range n {
			if err := put(i+1, size); err != nil {
				t.Fatal(err)
			}
		}
	}
	each(users)
	for i := range users / 2 {
		mustRemove(t, s, i+1)
	}
	mustTidy(t, s)
	if d.punches == 0 {
		t.Fatal("no hole was punched")
	}
	each(warmPages / slot) // the free slots that have kept their blocks
	for left := range slot {
		d.setLeft(left)
		wantUnavailable(t, fmt.Sprintf("Put with %d pages left", left), put(100, size))
		wantHealthy(t, s, fmt.Sprintf("%d pages left, after an upload that failed", left))
	}
	d.setLeft(slot)
	if err := put(101, size); err != nil {
		t.Fatalf("Put with room for a slot = %v", err)
	}
	if d.left != 0 {
		t.Errorf("%d pages left, and the slot has %d", d.left, slot)
	}
	wantUnavailable(t, "Put with no room for a region", put(100, 900_000))
	living := map[uint32]bool{}
	for i := range users {
		switch {
		case i%2 == 0:
			mustRemove(t, s, i+1)
		case i >= users/2 || i < warmPages/slot:
			living[uint32(i+1)] = true
		}
	}
	mustRemove(t, s, 101)
	wantHealthy(t, s, "after all deletes")
	wantClean(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wantOnly(t, pattern, dir, living)
}

// wantOnly demands that a directory holds no piece of a picture but of those that live.
func wantOnly(t *testing.T, pattern *storagetest.Pattern, dir string, living map[uint32]bool) {
	t.Helper()
	pieces, err := pattern.Search(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range pieces {
		if !living[piece.Number] {
			t.Errorf("%v is left", piece)
		}
	}
}

func wantUnavailable(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, storage.ErrUnavailable) {
		t.Fatalf("%s = %v, want %v", what, err, storage.ErrUnavailable)
	}
}

// putPattern uploads a picture of a pattern, whose number is the user's.
func putPattern(ctx context.Context, s *Store, pattern *storagetest.Pattern, user, size int) error {
	_, err := s.Put(ctx, storage.Upload{User: testKey(user), Organization: testOrg, By: testBy, Register: true,
		Picture: storage.Picture{Format: storage.PNG, Data: pattern.Picture(uint32(user), size)}})
	return err
}

// wantHealthy demands that the store is ready and that no erasure is stuck.
func wantHealthy(t *testing.T, s *Store, when string) {
	t.Helper()
	if err := errors.Join(s.ErasuresDone(t.Context()), s.Ready(t.Context())); err != nil {
		t.Fatalf("%s: %v", when, err)
	}
}

// A hole that cannot be punched fails no caller: it is counted, logged once, and tried again.
func TestPunchFails(t *testing.T) {
	needsHoles(t)
	d := &pagesDisk{blocks: map[int64]bool{}, left: 1 << 20, refuses: true}
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), WrapFile: d.wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 40 {
		mustPut(t, s, i, 100_000)
	}
	for i := range 40 {
		mustRemove(t, s, i)
	}
	if err := s.Tidy(t.Context()); !errors.Is(err, syscall.EIO) {
		t.Errorf("Tidy = %v, want %v", err, syscall.EIO)
	}
	st := s.Stats()
	if st.TrimFailures == 0 || st.SlabUsedBytes != 0 {
		t.Errorf("%d failures, %d bytes in use, want some and none", st.TrimFailures, st.SlabUsedBytes)
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("Ready = %v", err)
	}
	mustPut(t, s, 1, 100_000)
	mustRemove(t, s, 1)
	d.refuses = false
	mustTidy(t, s)
	if got := s.Stats(); got.TrimFailures != st.TrimFailures || got.SlabDiskBytes > 4<<20 {
		t.Errorf("%d failures, %d bytes on disk once the disk works, want %d and 4 MiB at most", got.TrimFailures, got.SlabDiskBytes, st.TrimFailures)
	}
}
