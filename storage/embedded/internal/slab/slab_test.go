package slab

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/datadir"
)

const testName = "test.slab"

var testStore = GenerationID{1}

func mustOpen(t *testing.T, dir datadir.Dir) *Slab {
	t.Helper()
	s, err := Open(dir, testName, testStore, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// A slab is made only where the database knows of no slot, and one that is not this store's is never taken for it, nor for a new one.
func TestOpen(t *testing.T) {
	region := make([]byte, 3*PageBytes)
	whole := append(append([]byte(Magic), testStore[:]...), region...)
	foreign := append(append([]byte(Magic), 2), region...)
	for _, test := range []struct {
		title  string
		file   []byte
		create bool
		want   error
	}{
		{"missing, and slots are known", nil, false, storage.ErrDamaged},
		{"missing", nil, true, nil},
		{"begun", []byte("avt"), true, nil},
		{"begun, and slots are known", []byte("avt"), false, storage.ErrDamaged},
		{"this store's", whole, false, nil},
		{"another store's", foreign, false, ErrOtherStore},
		{"another store's, and no slot is known", foreign, true, ErrOtherStore},
		{"no slab", region, true, storage.ErrDamaged},
	} {
		dir := datadir.At(t.TempDir())
		if test.file != nil {
			if err := os.WriteFile(dir.File(testName), test.file, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s, err := Open(dir, testName, testStore, test.create)
		if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
			t.Errorf("%s: Open = %v, want %v", test.title, err, test.want)
		}
		if err != nil {
			continue
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		head, err := os.ReadFile(dir.File(testName))
		if err != nil || !bytes.HasPrefix(head, whole[:24]) {
			t.Errorf("%s: the first page is %q, %v", test.title, head[:min(24, len(head))], err)
		}
	}
}

// A picture is read for its generation alone, damage is noticed, and zeroing a slot leaves nothing.
func TestSlot(t *testing.T) {
	dir := datadir.At(t.TempDir())
	s := mustOpen(t, dir)
	if err := s.Grow(1, 8, true); err != nil {
		t.Fatal(err)
	}
	id, picture := GenerationID{7}, bytes.Repeat([]byte("picture"), 800)
	size, image := int64(len(picture)), Image(id, picture)
	if err := errors.Join(s.Write(3, image, 1), s.Sync()); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Read(3, id, size); err != nil || !bytes.Equal(got, picture) {
		t.Errorf("Read = %d bytes, %v, want the picture", len(got), err)
	}
	for title, read := range map[string]func() ([]byte, error){
		"another generation": func() ([]byte, error) { return s.Read(3, GenerationID{8}, size) },
		"another size":       func() ([]byte, error) { return s.Read(3, id, size-1) },
		"a free slot":        func() ([]byte, error) { return s.Read(1, id, size) },
	} {
		if got, err := read(); !errors.Is(err, ErrOtherGeneration) || got != nil {
			t.Errorf("%s: Read = %d bytes, %v, want %v", title, len(got), err, ErrOtherGeneration)
		}
	}
	if _, err := s.Read(100, id, size); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Read behind the end = %v, want %v", err, storage.ErrUnavailable)
	}
	if err := s.ZeroBytes(Span{Off: 3*PageBytes + HeaderBytes, N: 1}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Read(3, id, size); !errors.Is(err, ErrSpoilt) || got != nil {
		t.Errorf("Read of a spoilt picture = %d bytes, %v, want %v", len(got), err, ErrSpoilt)
	}
	if err := errors.Join(s.Zero(3, 3), s.Sync()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(dir.File(testName))
	if err != nil || len(bytes.Trim(data[PageBytes:], "\x00")) > 0 {
		t.Errorf("bytes are left, %v", err)
	}
	if n, err := s.Length(); n != 9*PageBytes || err != nil {
		t.Errorf("Length = %d, %v, want %d", n, err, 9*PageBytes)
	}
	if err := s.Cut(2); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Length(); n != 2*PageBytes || err != nil {
		t.Errorf("Length after Cut = %d, %v, want %d", n, err, 2*PageBytes)
	}
}

// badFile fails syncs, and writes behind a place, when it is told to.
type badFile struct {
	datadir.File
	bad *badDisk
}

type badDisk struct {
	sync   error
	behind int64 // 0 = nowhere
	opened int
}

func (d *badDisk) wrap(name string, f datadir.File) datadir.File {
	if name != testName {
		return f
	}
	d.opened++
	return badFile{f, d}
}

func (f badFile) Sync() error {
	if f.bad.sync != nil {
		return f.bad.sync
	}
	return f.File.Sync()
}

func (f badFile) WriteAt(p []byte, off int64) (int, error) {
	if f.bad.behind > 0 && off >= f.bad.behind {
		return 0, errors.New("no write")
	}
	return f.File.WriteAt(p, off)
}

// After a sync that failed the descriptor is another one: the old one would report the error once and forget it.
func TestFailedSync(t *testing.T) {
	var bad badDisk
	s := mustOpen(t, datadir.Dir{Path: t.TempDir(), Wrap: bad.wrap})
	bad.sync = errors.New("no sync")
	if err := s.Sync(); !errors.Is(err, bad.sync) || bad.opened != 2 {
		t.Errorf("Sync = %v, opened %d times, want the error and 2", err, bad.opened)
	}
	if err := s.Probe(); !errors.Is(err, bad.sync) {
		t.Errorf("Probe = %v, want the error", err)
	}
	bad.sync = nil
	if err := s.Probe(); err != nil {
		t.Errorf("Probe = %v on a disk that is well again", err)
	}
}

// The blocks of a region that could not be made go back to the disk, unless the region may be on record.
func TestFailedGrowth(t *testing.T) {
	for _, mayCut := range []bool{true, false} {
		bad := badDisk{behind: MaxSlotPages * PageBytes}
		s := mustOpen(t, datadir.Dir{Path: t.TempDir(), Wrap: bad.wrap})
		if err := s.Grow(1, 2*MaxSlotPages, mayCut); err == nil {
			t.Error("Grow succeeds where nothing can be written")
		}
		if n, err := s.Length(); err != nil || (n == PageBytes) != mayCut {
			t.Errorf("may cut %v: %d bytes, %v", mayCut, n, err)
		}
	}
}

// A slab that is missing reads as an empty one where nothing may be made.
func TestOpenToRead(t *testing.T) {
	s, err := OpenToRead(datadir.At(t.TempDir()), testName)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.ReadAt(make([]byte, 1), 0); n != 0 || err == nil {
		t.Errorf("ReadAt = %d, %v, want an end", n, err)
	}
	if n, err := s.Length(); n != 0 || err != nil {
		t.Errorf("Length = %d, %v, want 0", n, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
