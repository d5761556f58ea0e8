package embedded

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"avatard/storage"
)

// errDisk is what a failing disk says in these tests. It must reach logs only.
var errDisk = errors.New("disk on fire")

// faults counts what the engine does to its files, and makes one call, or all from one on, fail.
type faults struct {
	mu    sync.Mutex
	calls int
	// fail reports whether the call with this number fails. name is the file's, op is write, sync or truncate.
	fail func(call int, name, op string) bool
	// after makes a failing call do its work first, as when the disk's answer got lost.
	after bool
}

func (f *faults) wrap(name string, file File) File { return &faultyFile{File: file, name: name, f: f} }

func (f *faults) set(fail func(call int, name, op string) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls, f.fail = 0, fail
}

func (f *faults) do(name, op string, call func() error) error {
	f.mu.Lock()
	f.calls++
	failed := f.fail != nil && f.fail(f.calls, name, op)
	f.mu.Unlock()
	if failed && !f.after {
		return errDisk
	}
	if err := call(); err != nil || !failed {
		return err
	}
	return errDisk
}

type faultyFile struct {
	File
	name string
	f    *faults
}

func (f *faultyFile) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.f.do(f.name, "write", func() error { n, err = f.File.WriteAt(p, off); return err })
	return n, err
}

func (f *faultyFile) Truncate(size int64) error {
	return f.f.do(f.name, "truncate", func() error { return f.File.Truncate(size) })
}

func (f *faultyFile) Sync() error { return f.f.do(f.name, "sync", f.File.Sync) }

// Every write and every sync fails once, before and after it was done, at every place in an upload, a replacement and
// a delete. Nobody is told a success that is not true, the next try succeeds, and nothing stays behind.
func TestEveryFault(t *testing.T) {
	for _, kind := range []struct {
		name     string
		after    bool
		forever  bool
		onlySlab bool
	}{
		{name: "fails before it is done"},
		{name: "fails after it was done", after: true},
		{name: "fails from then on", forever: true},
		{name: "the slab fails from then on", forever: true, onlySlab: true},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			for call := 1; ; call++ {
				f := &faults{after: kind.after}
				if !faultAt(t, f, call, kind.forever, kind.onlySlab) {
					t.Logf("%d places", call-1)
					if call < 10 {
						t.Errorf("only %d places: the engine's files are not watched", call-1)
					}
					return
				}
			}
		})
	}
}

// faultAt plays the story with one fault and reports whether it was reached.
func faultAt(t *testing.T, f *faults, at int, forever, onlySlab bool) (reached bool) {
	ctx := context.Background()
	dir := t.TempDir()
	s, err := Open(ctx, Config{Dir: dir, WrapFile: f.wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	seen := 0
	f.set(func(_ int, name, _ string) bool {
		if onlySlab && name != slabName {
			return false
		}
		seen++
		reached = reached || seen == at
		return seen == at || forever && seen > at
	})
	first, second := upload(1, 5000), upload(1, 300)
	put := func(up storage.Upload) { // puts until it is done
		if _, err := s.Put(ctx, up); err != nil {
			checkUnavailable(t, at, err)
			f.set(nil)
			if _, err = s.Put(ctx, up); err != nil {
				t.Fatalf("call %d: Put after the fault = %v", at, err)
			}
		}
		if got, err := s.Get(ctx, up.User, testOrg); err != nil || !bytes.Equal(got.Data, up.Picture.Data) {
			t.Fatalf("call %d: Get = %d bytes, %v after an acknowledged upload", at, len(got.Data), err)
		}
	}
	put(first)
	put(second)
	res, err := s.Remove(ctx, removal(1))
	if err != nil {
		checkUnavailable(t, at, err)
		f.set(nil)
		// The intent may or may not have become durable; what is there must be whole.
		if got, err := s.Get(ctx, testKey(1), testOrg); err == nil && !bytes.Equal(got.Data, second.Picture.Data) ||
			err != nil && !errors.Is(err, storage.ErrNoPicture) {
			t.Fatalf("call %d: Get between = %v", at, err)
		}
		if res, err = s.Remove(ctx, removal(1)); err != nil {
			t.Fatalf("call %d: Remove after the fault = %v", at, err)
		}
	}
	if res.Receipt == "" {
		t.Errorf("call %d: no receipt", at)
	}
	if _, err := s.Get(ctx, testKey(1), testOrg); !errors.Is(err, storage.ErrNoPicture) {
		t.Errorf("call %d: Get after Remove = %v, want %v", at, err, storage.ErrNoPicture)
	}
	f.set(nil)
	again, err := s.Remove(ctx, removal(1))
	if err != nil || again.Details.ChangeDate != res.Details.ChangeDate || again.Details.Sequence != res.Details.Sequence {
		t.Errorf("call %d: Remove again = %+v, %v, want %+v", at, again, err, res)
	}
	sweepNow(s)
	if err := s.Ready(ctx); err != nil {
		t.Errorf("call %d: Ready = %v once the disk works again", at, err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("call %d: Close = %v", at, err)
	}
	checkEmptySlab(t, dir)
	return reached
}

func checkUnavailable(t *testing.T, at int, err error) {
	t.Helper()
	if !errors.Is(err, storage.ErrUnavailable) {
		t.Fatalf("call %d: %v, want %v", at, err, storage.ErrUnavailable)
	}
}

// A slab that fails keeps a picture unreadable, says so, and Remove never lies about it.
func TestStuckErasure(t *testing.T) {
	ctx := context.Background()
	f := &faults{}
	s, err := Open(ctx, Config{Dir: t.TempDir(), WrapFile: f.wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Put(ctx, upload(1, 5000)); err != nil {
		t.Fatal(err)
	}
	f.set(func(_ int, name, op string) bool { return name == slabName && op == "sync" })
	for range 3 {
		if _, err := s.Remove(ctx, removal(1)); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("Remove = %v, want %v", err, storage.ErrUnavailable)
		}
		if _, err := s.Get(ctx, testKey(1), testOrg); !errors.Is(err, storage.ErrNoPicture) {
			t.Errorf("Get = %v, want %v", err, storage.ErrNoPicture)
		}
	}
	if err := s.Ready(ctx); err == nil || !strings.Contains(err.Error(), "1 erasures") {
		t.Errorf("Ready = %v, want the stuck erasure named", err)
	}
	if err := s.ErasuresDone(ctx); err == nil {
		t.Error("ErasuresDone = nil, want the stuck erasure")
	}
	if _, err := s.Put(ctx, upload(2, 100)); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Put on a failing slab = %v, want %v", err, storage.ErrUnavailable)
	}
	f.set(nil)
	if _, err := s.Remove(ctx, removal(1)); err != nil {
		t.Errorf("Remove = %v once the disk works again", err)
	}
	if err := s.ErasuresDone(ctx); err != nil {
		t.Errorf("ErasuresDone = %v once the disk works again", err)
	}
	if n := count(t, s, `SELECT count(*) FROM receipt WHERE reason = 1`); n != 1 {
		t.Errorf("%d receipts of the removal, want 1", n)
	}
}

// sweepNow makes the committer try again what is stuck, and waits for it.
func sweepNow(s *Store) {
	done := make(chan struct{})
	s.sweepNow <- done
	<-done
}
