package embedded

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
)

// laterSchema is what versions after the first could look like.
func laterSchema() []string {
	return []string{
		migrations[0],
		`CREATE TABLE quota (organization TEXT PRIMARY KEY, pictures INTEGER NOT NULL) STRICT;
		INSERT INTO quota SELECT id, 10 FROM organization`,
		`ALTER TABLE quota ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0`,
	}
}

// oldData makes a directory whose metadata has schema version 1 and an organisation in it.
func oldData(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	sql := migrations[0] + `; INSERT INTO organization VALUES ('acme', 1); PRAGMA application_id = 0x61767464; PRAGMA user_version = 1`
	conn, err := sqlite3.Open(filepath.Join(dir, databaseName))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.EnableChecksums("main"); err != nil {
		t.Fatal(err)
	}
	if err := conn.Exec(sql); err != nil {
		t.Fatal(err)
	}
	return dir
}

func editData(t *testing.T, dir, sql string) {
	t.Helper()
	conn, err := sqlite3.Open(filepath.Join(dir, databaseName))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Exec(sql); err != nil {
		t.Fatal(err)
	}
}

// versionIn asks SQLite alone.
func versionIn(t *testing.T, dir string) (version int) {
	t.Helper()
	conn, err := sqlite3.Open(filepath.Join(dir, databaseName))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stmt, _, err := conn.Prepare("PRAGMA user_version")
	if err != nil {
		t.Fatal(err)
	}
	defer stmt.Close()
	stmt.Step()
	return stmt.ColumnInt(0)
}

// migrateSteps migrates and returns the versions that were reported.
func migrateSteps(cfg Config, list []string) (steps []int, from int, err error) {
	from, err = migrateTo(context.Background(), cfg, list, func(version int) { steps = append(steps, version) })
	return steps, from, err
}

func TestMigrate(t *testing.T) {
	dir := oldData(t)
	steps, from, err := migrateSteps(Config{Dir: dir}, laterSchema())
	if err != nil || from != 1 || !cmp.Equal(steps, []int{2, 3}) {
		t.Fatalf("Migrate = from %d, steps %v, %v, want 1, [2 3]", from, steps, err)
	}
	if v := versionIn(t, dir); v != 3 {
		t.Errorf("version %d, want 3", v)
	}
	editData(t, dir, `CREATE TABLE proof (rows INTEGER CHECK (rows = 1)); INSERT INTO proof SELECT count(*) FROM quota WHERE organization = 'acme' AND bytes = 0`)
	if steps, from, err := migrateSteps(Config{Dir: dir}, laterSchema()); err != nil || from != 3 || steps != nil {
		t.Errorf("Migrate again = from %d, steps %v, %v, want 3 and nothing to do", from, steps, err)
	}
}

// The log tells of a schema that was brought forward, and not of a new one.
func TestOpenLogsMigration(t *testing.T) {
	for _, c := range []struct {
		name, dir string
		want      int
	}{{"old data", oldData(t), len(migrations) - 1}, {"a new directory", t.TempDir(), 0}} {
		var log bytes.Buffer
		s, err := Open(t.Context(), Config{Dir: c.dir, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if n := strings.Count(log.String(), "brought to a newer version"); n != c.want {
			t.Errorf("%s: the log tells of %d versions, want %d:\n%s", c.name, n, c.want, log.String())
		}
	}
}

// A version that cannot be reached leaves the one before it, and a later try goes on from there.
func TestMigrateFailsBetween(t *testing.T) {
	dir := oldData(t)
	broken := laterSchema()
	broken[2] = `ALTER TABLE quota ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0; INSERT INTO nowhere VALUES (1)`
	steps, _, err := migrateSteps(Config{Dir: dir}, broken)
	if err == nil || !strings.Contains(err.Error(), "to version 3") || !cmp.Equal(steps, []int{2}) {
		t.Errorf("Migrate = steps %v, %v, want [2] and an error about version 3", steps, err)
	}
	if v := versionIn(t, dir); v != 2 {
		t.Errorf("version %d, want 2", v)
	}
	if steps, from, err := migrateSteps(Config{Dir: dir}, laterSchema()); err != nil || from != 2 || !cmp.Equal(steps, []int{3}) {
		t.Errorf("Migrate then = from %d, steps %v, %v, want 2, [3]", from, steps, err)
	}
}

// migrationCases are what is brought forward on disks that fail: in steps that are easy to see through, and by the steps of this program.
// proof finds one row when all data is there.
var migrationCases = []struct {
	name  string
	data  func(*testing.T) string
	list  []string
	proof string
}{
	{"two steps", oldData, laterSchema(), `SELECT count(*) FROM quota WHERE organization = 'acme' AND bytes = 0`},
	{"this program's", usedData, migrations, `SELECT count(*) FROM store WHERE indexed = 30 AND watermark = 30 AND 30 = (SELECT count(*) FROM receipt r
		JOIN receipt_generation g ON g.receipt = r.seq AND g.generation = r.generation AND r.audit IS NULL) AND
		2 = (SELECT count(*) FROM user WHERE removed = 0) AND 1 = (SELECT count(*) FROM refusal)`},
}

// Whatever write or sync fails on the way, what is there is one whole version, and the next try reaches the newest.
func TestMigrateEveryFault(t *testing.T) {
	for _, c := range migrationCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			migrateEveryFault(t, c.data(t), c.list)
		})
	}
}

func migrateEveryFault(t *testing.T, data string, list []string) {
	for call := 1; ; call++ {
		dir, reached := filepath.Join(t.TempDir(), "data"), false
		if err := os.CopyFS(dir, os.DirFS(data)); err != nil {
			t.Fatal(err)
		}
		f := &faults{fail: func(n int, _, _ string) bool { reached = reached || n == call; return n >= call }}
		steps, _, err := migrateSteps(Config{Dir: dir, WrapFile: f.wrap}, list)
		if !reached {
			if call < 5 {
				t.Errorf("only %d calls: the files are not watched", call-1)
			}
			return
		}
		version := versionIn(t, dir)
		if want := 1 + len(steps); version < want {
			t.Errorf("call %d: version %d after steps %v were reported", call, version, steps)
		}
		if err == nil && version != len(list) {
			t.Errorf("call %d: version %d after success", call, version)
		}
		if _, from, err := migrateSteps(Config{Dir: dir}, list); err != nil || from != version {
			t.Errorf("call %d: Migrate then = from %d, %v, want from %d", call, from, err, version)
		}
	}
}

func TestMigrateRefuses(t *testing.T) {
	for _, tt := range []struct {
		title string
		spoil func(t *testing.T, dir string)
		want  error
		text  string
	}{
		{"metadata of a newer program", func(t *testing.T, dir string) { editData(t, dir, "PRAGMA user_version = 99") },
			storage.ErrNewerSchema, "version 99, this program knows up to "},
		{"a directory that a store is open on", func(t *testing.T, dir string) { openTest(t, dir) }, storage.ErrInUse, "process"},
		{"a directory with nothing in it", func(t *testing.T, dir string) { remove1(t, filepath.Join(dir, databaseName)) }, storage.ErrNoStore, ""},
		{"no directory", func(t *testing.T, dir string) { _ = os.RemoveAll(dir) }, storage.ErrNoStore, ""},
		{"another program's database", func(t *testing.T, dir string) { editData(t, dir, "PRAGMA application_id = 1") }, storage.ErrForeign, ""},
		{"a database without a mark", func(t *testing.T, dir string) {
			editData(t, dir, "PRAGMA application_id = 0; PRAGMA user_version = 0")
		}, storage.ErrForeign, ""},
	} {
		t.Run(tt.title, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			if err := os.CopyFS(dir, os.DirFS(oldData(t))); err != nil {
				t.Fatal(err)
			}
			tt.spoil(t, dir)
			before, _ := os.ReadFile(filepath.Join(dir, databaseName))
			_, err := Migrate(t.Context(), Config{Dir: dir}, nil)
			_, checkErr := CheckSchema(Config{Dir: dir})
			for _, err := range []error{err, checkErr} {
				if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("%v, want %v with %q", err, tt.want, tt.text)
				}
			}
			after, _ := os.ReadFile(filepath.Join(dir, databaseName))
			if string(before) != string(after) {
				t.Error("the database was changed")
			}
			if _, err := os.Stat(dir); tt.title == "no directory" && err == nil {
				t.Error("the directory was made")
			}
		})
	}
}

// Looking leaves every file as it is, a log that a killed process left included.
func TestCheckSchemaChangesNothing(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	mustPut(t, s, 1, 500)
	copied := filepath.Join(t.TempDir(), "copy") // as a killed process leaves it
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	files := func() map[string]string {
		all := make(map[string]string)
		for _, name := range []string{databaseName, databaseName + "-wal", slabName} {
			data, err := os.ReadFile(filepath.Join(copied, name))
			if err != nil {
				t.Fatal(err)
			}
			all[name] = string(data)
		}
		return all
	}
	before := files()
	if before[databaseName+"-wal"] == "" {
		t.Fatal("the log is empty: nothing is shown")
	}
	if version, err := CheckSchema(Config{Dir: copied}); err != nil || version != SchemaVersion() {
		t.Errorf("CheckSchema = %d, %v, want %d", version, err, SchemaVersion())
	}
	for name, data := range files() {
		if data != before[name] {
			t.Errorf("%s was changed", name)
		}
	}
}
