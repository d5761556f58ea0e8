package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// smallDisk is a disk whose room the files of a store share with foreign files. No byte needs room twice.
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

// fill lets foreign files take all room that is left, except leave bytes.
func (d *smallDisk) fill(leave int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.foreign += max(0, d.free()-leave)
}

// empty removes the foreign files.
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

// Removed is called when a file of the directory was removed.
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

// When uploads have filled the disk until they are refused, and then another program the rest, every delete is done, also after a restart
// without a byte of room. Pictures that were not deleted are there, and everything works again once there is room.
func TestDeletesOnAFullDisk(t *testing.T) {
	for _, total := range []int64{2 << 20, 24 << 20, 64 << 20} {
		t.Run(fmt.Sprint(total>>20, " MiB"), func(t *testing.T) {
			d := newSmallDisk(t.TempDir(), total)
			s := d.open(t)
			onCommitter(s, s.regainRoom)
			d.wantReserve(t, s)
			users := d.fillWithUploads(t, s)
			d.fill(0)
			if _, _, err := s.AddUser(t.Context(), testKey(9999), testOrg, testBy); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("AddUser of a new user = %v, want %v", err, storage.ErrUnavailable)
			}
			for user := range users {
				if user%(users/4) == 1 {
					d, s = d.restart(t, s, user > users/2)
				}
				removeOnAFullDisk(t, s, user, users)
			}
			if err := s.Ready(t.Context()); err != nil {
				t.Errorf("Ready = %v: deletes are done", err)
			}
			if _, err := s.Put(t.Context(), upload(0, 300)); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("Put on a full disk = %v, want %v", err, storage.ErrUnavailable)
			}
			d.empty()
			if err := s.Tidy(t.Context()); err != nil { // the space of deleted pictures goes back
				t.Error(err)
			}
			mustPut(t, s, 0, 300)
			if err := errors.Join(s.Ready(t.Context()), s.RoomForUploads(t.Context())); err != nil {
				t.Errorf("%v with room again", err)
			}
			d.wantReserve(t, s)
			mustRemove(t, s, 0)
			wantClean(t, s)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			checkEmptySlab(t, d.dir)
		})
	}
}

func (d *smallDisk) wantReserve(t *testing.T, s *Store) {
	t.Helper()
	if got, want := s.Stats().ReserveBytes, min(maxReserve, d.total/spaceShare); got != want {
		t.Errorf("a reserve of %d bytes, want %d", got, want)
	}
}

// fillWithUploads uploads pictures of new users until one is refused, and returns how many were taken.
func (d *smallDisk) fillWithUploads(t *testing.T, s *Store) (users int) {
	t.Helper()
	ctx := t.Context()
	for err := error(nil); err == nil; users++ {
		size := int(d.total>>10) * (1 + users%7) / 12
		if _, err = s.Put(ctx, upload(users, size)); err != nil && !errors.Is(err, storage.ErrUnavailable) {
			t.Fatalf("Put = %v, want %v", err, storage.ErrUnavailable)
		}
	}
	users-- // the last one was refused
	if err := s.RoomForUploads(ctx); err == nil || !strings.Contains(err.Error(), "nearly full") {
		t.Errorf("RoomForUploads = %v, want the reason", err)
	}
	if free, floor := d.free(), min(maxFloor, d.total/spaceShare); users < 100 || free < floor/2 || free > d.total/2 {
		t.Errorf("refused after %d uploads with %d bytes free", users, free)
	}
	return users
}

// restart stops the process on a full disk, or kills it, and opens the store again without a byte of room.
func (d *smallDisk) restart(t *testing.T, s *Store, killed bool) (*smallDisk, *Store) {
	t.Helper()
	if killed {
		copied := newSmallDisk(filepath.Join(t.TempDir(), "killed"), d.total)
		if err := os.CopyFS(copied.dir, os.DirFS(d.dir)); err != nil {
			t.Fatal(err)
		}
		_ = s.Close()
		d = copied
		for _, name := range []string{databaseName, logName, slabName, reserveName} {
			d.wrap(name, nil)
		}
	} else if err := s.Close(); err != nil {
		t.Errorf("Close on a full disk = %v", err)
	}
	d.fill(0)
	s = d.open(t)
	d.fill(0)
	return d, s
}

// removeOnAFullDisk deletes the picture of one of so many users, and demands that it is gone and the next one is there.
func removeOnAFullDisk(t *testing.T, s *Store, user, users int) {
	t.Helper()
	ctx := t.Context()
	if _, err := s.Remove(ctx, removal(user)); err != nil {
		t.Fatalf("Remove(%d) on a full disk = %v, with %d bytes in reserve", user, err, s.Stats().ReserveBytes)
	}
	if _, err := s.Get(ctx, testKey(user), testOrg); !errors.Is(err, storage.ErrNoPicture) {
		t.Errorf("Get of what was deleted = %v", err)
	}
	if _, err := s.Get(ctx, testKey(user+1), testOrg); user+1 < users && err != nil {
		t.Errorf("Get of what was not deleted = %v", err)
	}
}
