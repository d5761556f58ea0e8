//go:build unix

package datadir

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"example.org/avatard/storage"
)

// One process at a time has a directory, and the next one learns which that is.
func TestLock(t *testing.T) {
	dir := At(t.TempDir())
	lock, err := dir.Lock("lock")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dir.Lock("lock"); !errors.Is(err, storage.ErrInUse) || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())) {
		t.Errorf("second Lock = %v, want %v with the id of this process", err, storage.ErrInUse)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	if lock, err = dir.Lock("lock"); err != nil {
		t.Fatalf("Lock after Release = %v", err)
	}
	if err := lock.Release(); err != nil {
		t.Error(err)
	}
}

// A copy of the lock's descriptor, which a program has that is being started, does not hold the lock once it is released.
func TestLockIsGivenBack(t *testing.T) {
	dir := At(t.TempDir())
	lock, err := dir.Lock("lock")
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Dup(int(lock.file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	if lock, err = dir.Lock("lock"); err != nil {
		t.Fatal(err)
	}
	if err := lock.Release(); err != nil {
		t.Error(err)
	}
}

// A directory and those it lies in are made for their owner, and each new name is synced in the directory it is in. Where they are
// there already only the last name is synced once more.
func TestMake(t *testing.T) {
	base := t.TempDir()
	var synced []string
	dir := Dir{Path: filepath.Join(base, "a", "b"), Wrap: func(name string, f File) File {
		synced = append(synced, name)
		return f
	}}
	for _, want := range [][]string{{Parent, Parent}, {Parent}} {
		synced = nil
		if err := dir.Make(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(synced, want) {
			t.Errorf("Make synced %q, want %q", synced, want)
		}
	}
	for _, path := range []string{filepath.Join(base, "a"), dir.Path} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v, want mode 0700", path, info.Mode(), err)
		}
	}
	if err := os.WriteFile(filepath.Join(base, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := At(filepath.Join(base, "file")).Make(); err == nil {
		t.Error("Make takes a file for a directory")
	}
}

// A file is opened for its owner only, through what is put around it, and never through a link.
func TestOpen(t *testing.T) {
	type wrapped struct{ File }
	var names []string
	dir := Dir{Path: t.TempDir(), Wrap: func(name string, f File) File {
		names = append(names, name)
		return wrapped{f}
	}}
	f, err := dir.Open("new", os.O_RDWR|os.O_CREATE)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := f.(wrapped); !ok || !slices.Equal(names, []string{"new"}) {
		t.Errorf("Open = %T, wrapped were %q", f, names)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(dir.File("new")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	for name, target := range map[string]string{"link": dir.File("new"), "dangling": dir.File("nothing")} {
		if err := os.Symlink(target, dir.File(name)); err != nil {
			t.Fatal(err)
		}
		if f, err := dir.Open(name, os.O_RDWR|os.O_CREATE); !errors.Is(err, storage.ErrLink) {
			t.Errorf("Open of a link = %v, %v, want %v", f, err, storage.ErrLink)
		}
		if err := dir.RefuseLinks("new", "missing", name); !errors.Is(err, storage.ErrLink) || !strings.Contains(err.Error(), dir.File(name)) {
			t.Errorf("RefuseLinks = %v, want %v that names %s", err, storage.ErrLink, dir.File(name))
		}
	}
	if _, err := os.Lstat(dir.File("nothing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the dangling link has got its target: %v", err)
	}
}

// Nearest finds the directory above that is there.
func TestNearest(t *testing.T) {
	base := t.TempDir()
	for path, want := range map[string]string{base: base, filepath.Join(base, "a", "b"): base} {
		if got := Nearest(path); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", path, got, want)
		}
	}
}
