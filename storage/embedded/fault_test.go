package embedded

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/datadir"
	"example.org/avatard/storage/embedded/internal/slab"
)

// errDisk is what a failing disk says in these tests. It must reach logs only.
var errDisk = errors.New("disk on fire")

// faultMode is how an operation on a file goes wrong.
type faultMode int

const (
	failBefore  faultMode = iota // nothing is done
	failAfter                    // it is done, as when the disk's answer got lost
	failTorn                     // the first half of a write is done, the rest not
	failHanging                  // it is done when the disk comes back, and does not fail
)

// faults counts what the engine does to its files, and makes one call, or all from one on, go wrong.
type faults struct {
	mu    sync.Mutex
	calls int
	// fail reports whether the call with this number goes wrong. name is the file's, op is write, sync, truncate, punch or, where
	// reads is set, read.
	fail  func(call int, name, op string) bool
	reads bool
	mode  faultMode
	err   error // what the call returns, errDisk unless set
	// Of a disk that hangs: it says so in hanging, and comes back when back is closed.
	hanging, back chan struct{}
}

func (f *faults) wrap(name string, file File) File { return &faultyFile{File: file, name: name, f: f} }

func (f *faults) set(fail func(call int, name, op string) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls, f.fail = 0, fail
}

// do makes a call, or what is left of it; half is its first half, nil where it has none.
func (f *faults) do(name, op string, call, half func() error) error {
	f.mu.Lock()
	f.calls++
	failed := f.fail != nil && f.fail(f.calls, name, op)
	f.mu.Unlock()
	if !failed {
		return call()
	}
	err := f.err
	if err == nil {
		err = errDisk
	}
	switch f.mode {
	case failAfter:
		return errors.Join(call(), err)
	case failTorn:
		if half != nil {
			return errors.Join(half(), err)
		}
	case failHanging:
		f.hanging <- struct{}{}
		<-f.back
		return call()
	}
	return err
}

type faultyFile struct {
	File
	name string
	f    *faults
}

func (f *faultyFile) ReadAt(p []byte, off int64) (n int, err error) {
	if !f.f.reads {
		return f.File.ReadAt(p, off)
	}
	err = f.f.do(f.name, "read", func() error { n, err = f.File.ReadAt(p, off); return err }, nil)
	return n, err
}

func (f *faultyFile) WriteAt(p []byte, off int64) (n int, err error) {
	write := func(p []byte) func() error {
		return func() error { n, err = f.File.WriteAt(p, off); return err }
	}
	err = f.f.do(f.name, "write", write(p), write(p[:len(p)/2]))
	return n, err
}

func (f *faultyFile) Truncate(size int64) error {
	return f.f.do(f.name, "truncate", func() error { return f.File.Truncate(size) }, nil)
}

// Punch is one where the file below can do it.
func (f *faultyFile) Punch(off, n int64) error {
	below, ok := f.File.(datadir.Puncher)
	if !ok {
		return errors.ErrUnsupported
	}
	return f.f.do(f.name, "punch", func() error { return below.Punch(off, n) }, func() error { return below.Punch(off, n/2/slab.PageBytes*slab.PageBytes) })
}

// Sync does not reach the disk: nothing here loses power, and most of the time would go there.
func (f *faultyFile) Sync() error { return f.f.do(f.name, "sync", func() error { return nil }, nil) }

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
func sweepNow(s *Store) { onCommitter(s, s.sweepAll) }

// onCommitter makes the committer do something, and waits for it.
func onCommitter(s *Store, do func()) {
	done := make(chan struct{})
	s.calls <- func() { defer close(done); do() }
	<-done
}
