package embedded

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"avatard/storage"
	"avatard/storage/embedded/internal/slab"
)

// smallDisk is a disk with so much room that files of a store share with somebody else's. Nothing needs room twice.
type smallDisk struct {
	dir string

	mu      sync.Mutex
	total   int64
	foreign int64
	ends    map[string]int64
}

func newSmallDisk(dir string, total int64) *smallDisk {
	return &smallDisk{dir: dir, total: total, ends: map[string]int64{}}
}

func (d *smallDisk) config() Config {
	return Config{Dir: d.dir, WrapFile: d.wrap, FreeSpace: func(string) (free, total int64, err error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.free(), d.total, nil
	}}
}

func (d *smallDisk) free() int64 {
	free := d.total - d.foreign
	for _, end := range d.ends {
		free -= (end + slab.PageBytes - 1) / slab.PageBytes * slab.PageBytes
	}
	return free
}

// fill lets somebody else take all that is left but so much.
func (d *smallDisk) fill(leave int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.foreign += max(0, d.free()-leave)
}

// empty takes that back.
func (d *smallDisk) empty() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.foreign = -1 << 20 // and the disk is larger: the slab keeps some of it
}

func (d *smallDisk) wrap(name string, f File) File {
	if name != DataDir && name != ParentDir {
		d.mu.Lock()
		defer d.mu.Unlock()
		if info, err := os.Stat(filepath.Join(d.dir, name)); err == nil {
			d.ends[name] = info.Size()
		}
	}
	return &smallFile{f, d, name}
}

type smallFile struct {
	File
	d    *smallDisk
	name string
}

func (f *smallFile) WriteAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	before := f.d.ends[f.name]
	f.d.ends[f.name] = max(before, off+int64(len(p)))
	if f.d.free() < 0 {
		f.d.ends[f.name] = before
		f.d.mu.Unlock()
		return 0, syscall.ENOSPC
	}
	f.d.mu.Unlock()
	return f.File.WriteAt(p, off)
}

func (f *smallFile) Truncate(size int64) error {
	f.d.mu.Lock()
	f.d.ends[f.name] = size
	f.d.mu.Unlock()
	return f.File.Truncate(size)
}

func (f *smallFile) Sync() error { return nil } // nothing here loses power

// Removed hears from a directory that a file is no more.
func (f *smallFile) Removed(name string) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	delete(f.d.ends, name)
}

func (d *smallDisk) open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(context.Background(), d.config())
	if err != nil {
		t.Fatalf("Open with %d bytes free = %v", d.free(), err)
	}
	return s
}

// Whoever fills the disk, uploads until they are refused and then a file of somebody else, every delete is done, also after a restart
// without a byte of room. What was not deleted is there, and all goes on by itself when there is room again.
func TestDeletesOnAFullDisk(t *testing.T) {
	ctx := context.Background()
	for _, total := range []int64{2 << 20, 24 << 20, 64 << 20} {
		d := newSmallDisk(t.TempDir(), total)
		s := d.open(t)
		onCommitter(s, s.regainRoom)
		if got, want := s.Stats().ReserveBytes, min(maxReserve, total/spaceShare); got != want {
			t.Errorf("%d MiB: a reserve of %d bytes, want %d", total>>20, got, want)
		}
		size := func(user int) int { return int(total>>10) * (1 + user%7) / 12 }
		users := 0
		for ; ; users++ {
			if _, err := s.Put(ctx, upload(users, size(users))); err != nil {
				if !errors.Is(err, storage.ErrUnavailable) {
					t.Fatalf("Put = %v, want %v", err, storage.ErrUnavailable)
				}
				break
			}
		}
		if err := s.RoomForUploads(ctx); err == nil || !strings.Contains(err.Error(), "nearly full") {
			t.Errorf("%d MiB: RoomForUploads = %v, want the reason", total>>20, err)
		}
		if free, floor := d.free(), min(maxFloor, total/spaceShare); users < 100 || free < floor/2 || free > total/2 {
			t.Errorf("%d MiB: refused after %d uploads with %d bytes free", total>>20, users, free)
		}
		d.fill(0)
		if _, _, err := s.AddUser(ctx, testKey(9999), testOrg, testBy); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("AddUser of somebody new = %v, want %v", err, storage.ErrUnavailable)
		}
		for user := range users {
			if user%(users/4) == 1 { // a restart: killed, or stopped
				if user > users/2 {
					copied := newSmallDisk(filepath.Join(t.TempDir(), "killed"), total)
					if err := os.CopyFS(copied.dir, os.DirFS(d.dir)); err != nil {
						t.Fatal(err)
					}
					_ = s.Close()
					d = copied
					for _, name := range []string{databaseName, logName, slabName, reserveName} {
						d.wrap(name, nil)
					}
				} else if err := s.Close(); err != nil {
					t.Errorf("%d MiB: Close on a full disk = %v", total>>20, err)
				}
				d.fill(0)
				s = d.open(t)
				d.fill(0)
			}
			if _, err := s.Remove(ctx, removal(user)); err != nil {
				t.Fatalf("%d MiB: Remove(%d) on a full disk = %v, with %d bytes in reserve", total>>20, user, err, s.Stats().ReserveBytes)
			}
			if _, err := s.Get(ctx, testKey(user), testOrg); !errors.Is(err, storage.ErrNoPicture) {
				t.Errorf("Get of what was deleted = %v", err)
			}
			if _, err := s.Get(ctx, testKey(user+1), testOrg); user+1 < users && err != nil {
				t.Errorf("Get of what was not deleted = %v", err)
			}
		}
		if err := s.Ready(ctx); err != nil {
			t.Errorf("%d MiB: Ready = %v: deletes are done", total>>20, err)
		}
		if _, err := s.Put(ctx, upload(0, 300)); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("Put on a full disk = %v, want %v", err, storage.ErrUnavailable)
		}
		d.empty()
		if err := s.Tidy(ctx); err != nil { // what deleted pictures have left goes back
			t.Error(err)
		}
		mustPut(t, s, 0, 300)
		if err := errors.Join(s.Ready(ctx), s.RoomForUploads(ctx)); err != nil {
			t.Errorf("%d MiB: %v with room again", total>>20, err)
		}
		if got, want := s.Stats().ReserveBytes, min(maxReserve, total/spaceShare); got != want {
			t.Errorf("%d MiB: a reserve of %d bytes with room again, want %d", total>>20, got, want)
		}
		mustRemove(t, s, 0)
		wantClean(t, s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		checkEmptySlab(t, d.dir)
	}
}
