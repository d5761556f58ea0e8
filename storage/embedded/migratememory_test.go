package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/sqlitefs"
)

// fillOld puts so many receipts, and as many records of the audit trail, into metadata of version 1, and a quarter as many users.
func fillOld(t *testing.T, dir string, rows int) {
	t.Helper()
	editData(t, dir, fmt.Sprintf(`PRAGMA synchronous = OFF; BEGIN;
		INSERT INTO store (one, id, watermark) VALUES (1, randomblob(16), %[1]d); INSERT INTO issuer VALUES (1, 'https://i');
		INSERT INTO user VALUES (1, 1, 'u', 'acme', 5, 5, 1, NULL);
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %[1]d)
		INSERT INTO receipt SELECT i, 1, randomblob(16), i, 1, nullif(i - 1, 0), 0 FROM n;
		UPDATE user SET receipt = %[1]d;
		WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < %[1]d / 4)
		INSERT INTO user SELECT i, 1, printf('user-%%09d', i), 'acme', 5, 5, 1, NULL FROM n;
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %[1]d)
		INSERT INTO audit SELECT i, i, 'GET', CASE i %% 4 WHEN 0 THEN 'not_found AUTHZ-cdgFk' ELSE 'done' END, 'c', '', 'acme', '', 'r', 0 FROM n; COMMIT`, rows))
}

// A database of any size is brought forward within a bounded memory, and with files that are gone afterwards: version 4 sorts all users.
func TestMigrateInBoundedMemory(t *testing.T) { // not parallel: it lowers the bound for all
	const rows, bound = 400_000, 20 << 20 // the settings of serving need more
	old := oldData(t)
	fillOld(t, old, rows)
	sqliteMemory = bound
	defer func() { sqliteMemory = 0 }()
	temps := 0
	watch := func(fail bool) func(string, File) File {
		return (&faults{fail: func(_ int, file, call string) bool {
			if file != sqlitefs.TempName {
				return false
			}
			temps++
			return fail && call == "write"
		}}).wrap
	}
	steps, _, err := migrateSteps(Config{Dir: old, WrapFile: watch(true)}, migrations)
	if err == nil || versionIn(t, old) != 3 || temps == 0 {
		t.Errorf("with temporary files that cannot be written: steps %v, %v, %d calls", steps, err, temps)
	}
	wantNoTemps(t, old)
	if _, _, err := migrateSteps(Config{Dir: old, WrapFile: watch(false)}, migrations); err != nil {
		t.Errorf("Migrate = %v", err)
	}
	wantNoTemps(t, old)
	if v, want := versionIn(t, old), len(migrations); v != want {
		t.Errorf("version %d, want %d", v, want)
	}
}

func wantNoTemps(t *testing.T, dir string) {
	t.Helper()
	if left, _ := filepath.Glob(filepath.Join(dir, sqlitefs.TempName+"*")); len(left) > 0 {
		t.Errorf("%v was left", left)
	}
}

// Memory that is short is an error, which changes nothing: the next try with more succeeds.
func TestMigrateOutOfMemory(t *testing.T) { // not parallel, as above
	dir := oldData(t)
	fillOld(t, dir, 100_000)
	sqliteMemory = 4 << 20
	defer func() { sqliteMemory = 0 }()
	for name, open := range map[string]func() error{
		"Migrate": func() error { _, err := Migrate(t.Context(), Config{Dir: dir}, nil); return err },
		"Open":    func() error { _, err := Open(t.Context(), Config{Dir: dir}); return err },
	} {
		if err := open(); !errors.Is(err, errMemory) {
			t.Errorf("%s = %v, want %v", name, err, errMemory)
		}
	}
	sqliteMemory = 0
	if _, from, err := migrateSteps(Config{Dir: dir}, migrations); err != nil || from != 1 {
		t.Errorf("Migrate then = from %d, %v", from, err)
	}
}

// What a killed process left of its temporary files goes with the next start, or the next try to bring the schema forward. A check
// leaves it.
func TestTempsOfAKilledProcess(t *testing.T) {
	dir := t.TempDir()
	if err := openTest(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, sqlitefs.TempName+"123")
	for _, tt := range []struct {
		title string
		do    func() error
		stays bool
	}{
		{"a check", func() error {
			_, err := CheckDir(t.Context(), Config{Dir: dir}, storage.CheckOptions{}, func(storage.Finding) error { return nil })
			return err
		}, true},
		{"a start", func() error {
			s, err := Open(t.Context(), Config{Dir: dir})
			return errors.Join(err, s.Close())
		}, false},
		{"avatard migrate", func() error { _, err := Migrate(t.Context(), Config{Dir: dir}, nil); return err }, false},
	} {
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := tt.do(); err != nil {
			t.Errorf("%s: %v", tt.title, err)
		}
		if exists(name) != tt.stays {
			t.Errorf("%s: the file is there: %v", tt.title, !tt.stays)
		}
	}
}

// Serving, checking and backing up use no temporary file: they sort nothing.
func TestServingHasNoTemps(t *testing.T) {
	f := &faults{fail: func(_ int, file, call string) bool {
		if file == sqlitefs.TempName {
			t.Errorf("%s of a temporary file", call)
		}
		return false
	}}
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), WrapFile: f.wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fillStore(t, s)
	backupBytes(t, s, storage.ExportOptions{})
	if _, err := s.Check(t.Context(), storage.CheckOptions{Repair: true}, func(storage.Finding) error { return nil }); err != nil {
		t.Error(err)
	}
}
