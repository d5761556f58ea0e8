//go:build unix

package embedded

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/datadir"
	"example.org/avatard/storage/embedded/internal/slab"
	"example.org/avatard/storage/embedded/internal/sqlitefs"
)

// A symbolic link in place of a file of the store is never followed, whatever opens the directory. The file that it points to
// stays as it is; a dangling one gets no target.
func TestLinksAreRefused(t *testing.T) {
	ctx := context.Background()
	for _, name := range ownNames {
		t.Run(name, func(t *testing.T) {
			dir, elsewhere := t.TempDir(), t.TempDir()
			s, err := Open(ctx, Config{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			mustPut(t, s, 1, 3000)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			path, target := filepath.Join(dir, name), filepath.Join(elsewhere, name)
			if err := os.Rename(path, target); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadFile(target)
			for title, open := range map[string]func() error{
				"Open": func() error {
					s, err := Open(ctx, Config{Dir: dir})
					if err == nil {
						err = s.Close()
					}
					return err
				},
				"CheckDir": func() error {
					_, err := CheckDir(ctx, Config{Dir: dir}, storage.CheckOptions{}, func(storage.Finding) error { return nil })
					return err
				},
				"CheckDir, repairing": func() error {
					_, err := CheckDir(ctx, Config{Dir: dir}, storage.CheckOptions{Repair: true}, func(storage.Finding) error { return nil })
					return err
				},
				"Migrate": func() error {
					_, err := Migrate(ctx, Config{Dir: dir}, func(int) {})
					return err
				},
			} {
				if err := open(); !errors.Is(err, storage.ErrLink) || !strings.Contains(err.Error(), path) {
					t.Errorf("%s = %v, want %v that names %s", title, err, storage.ErrLink, path)
				}
			}
			after, err := os.ReadFile(target)
			if string(after) != string(before) || (before == nil) != errors.Is(err, os.ErrNotExist) {
				t.Errorf("what the link points to has changed: %d bytes, before %d (%v)", len(after), len(before), err)
			}
		})
	}
}

// Links that appear after the look at the names are not followed either.
func TestLinksThatComeLate(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	s := openTest(t, elsewhere)
	mustPut(t, s, 1, 3000)
	for _, name := range ownNames {
		if err := os.Symlink(filepath.Join(elsewhere, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if f, err := datadir.At(dir).Lock(lockName); !errors.Is(err, storage.ErrLink) {
		t.Errorf("Lock = %v, %v, want %v", f, err, storage.ErrLink)
	}
	if _, err := slab.Open(datadir.At(dir), slabName, slab.GenerationID{}, true); !errors.Is(err, storage.ErrLink) {
		t.Errorf("Open = %v, want %v", err, storage.ErrLink)
	}
	if err := sqlitefs.CheckLog(filepath.Join(dir, logName)); !errors.Is(err, storage.ErrLink) {
		t.Errorf("checkLog = %v, want %v", err, storage.ErrLink)
	}
	if db, err := openDatabase(datadir.At(dir), (*database).truncateLog, func(int) {}); !errors.Is(err, storage.ErrLink) {
		t.Errorf("openDatabase = %v, %v, want %v", db, err, storage.ErrLink)
	}
	if db, err := connect(datadir.At(dir), databaseName); err == nil {
		t.Errorf("SQLite follows a link to its database: %v", db.close())
	}
}

// The data directory may be a link, and be reached through others.
func TestDirectoryBehindLinks(t *testing.T) {
	base := t.TempDir()
	for _, dir := range []string{"disk", "disk/data", "service"} {
		if err := os.Mkdir(filepath.Join(base, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"service/disk": "../disk", "current": "service/disk/data"} {
		if err := os.Symlink(target, filepath.Join(base, link)); err != nil {
			t.Fatal(err)
		}
	}
	s := openTest(t, filepath.Join(base, "current"))
	mustPut(t, s, 1, 3000)
	if _, err := Open(context.Background(), Config{Dir: filepath.Join(base, "disk/data")}); !errors.Is(err, storage.ErrInUse) {
		t.Errorf("Open by its other name = %v, want %v", err, storage.ErrInUse)
	}
	for _, name := range []string{databaseName, logName, slabName} {
		if _, err := os.Lstat(filepath.Join(base, "disk/data", name)); err != nil {
			t.Error(err)
		}
	}
}
