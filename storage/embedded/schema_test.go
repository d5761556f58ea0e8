package embedded

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
)

// The schema itself refuses what must never be, whatever the code asks for.
func TestSchemaRefuses(t *testing.T) {
	s := openTest(t, t.TempDir())
	ctx := context.Background()
	for i := 1; i <= 3; i++ {
		if _, err := s.Put(ctx, upload(i, 100)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Remove(ctx, removal(3)); err != nil {
		t.Fatal(err)
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	for _, test := range []struct{ title, sql, want string }{
		{"two owners of one slot", `INSERT INTO generation SELECT slot, randomblob(16), uid, 1, size, format, NULL
			FROM generation WHERE uid = 1`, "UNIQUE"},
		{"two active pictures of one user", `INSERT INTO generation VALUES (9999, randomblob(16), 1, 1, 1, 1, NULL);
			UPDATE generation SET state = 2 WHERE slot = 9999`, "active generation"},
		{"an upload that starts as active", `INSERT INTO generation VALUES (9999, randomblob(16), 1, 2, 1, 1, NULL)`, "starts as uploading"},
		{"back from active to uploading", `UPDATE generation SET state = 1 WHERE uid = 1`, "no such step"},
		{"erasing without a receipt", `UPDATE generation SET state = 3 WHERE uid = 1`, "CHECK"},
		{"a receipt without erasing", `UPDATE generation SET receipt = 1 WHERE uid = 1`, "CHECK"},
		{"back from erasing to active", `UPDATE generation SET state = 2, receipt = NULL WHERE uid = 3`, "no such step"},
		{"a living picture's slot given away", `UPDATE generation SET id = randomblob(16), state = 1 WHERE uid = 1`, "not free"},
		{"a slot given away before its erasure is on record",
			`UPDATE generation SET id = randomblob(16), state = 1, receipt = NULL WHERE uid = 3`, "not free"},
		{"a generation forgotten before it is erased", `DELETE FROM generation WHERE uid = 3`, "not erased"},
		{"a receipt that changes", `UPDATE receipt SET time = 0`, "never changes"},
		{"a receipt that somebody needs", `DELETE FROM receipt`, "needed"},
		{"a receipt of an erasure that is not on record", `UPDATE user SET receipt = NULL; DELETE FROM receipt`, "needed"},
		{"an erasing generation with a receipt that is not there", `UPDATE generation SET state = 3, receipt = 77 WHERE uid = 1`, "no such receipt"},
		{"a user's newest receipt that is not there", `UPDATE user SET receipt = 77 WHERE uid = 1`, "no such receipt"},
		{"pruning that goes back", `UPDATE store SET horizon = 5; UPDATE store SET horizon = 4`, "never comes back"},
		{"pruning above the watermark", `UPDATE store SET pruned = watermark + 1`, "never comes back"},
		{"a living picture's slot out of use", `INSERT INTO quarantine SELECT slot, 1, 0 FROM generation WHERE uid = 1`, "no upload that was given up"},
		{"the slot of an acknowledged picture out of use", `INSERT INTO quarantine SELECT slot, receipt, 0 FROM generation WHERE uid = 3`,
			"no upload that was given up"},
		{"a slot given away that is out of use", inQuarantine + `UPDATE generation SET id = randomblob(16), state = 1, receipt = NULL WHERE slot = 9999`,
			"not free"},
		{"a generation forgotten whose slot is out of use", inQuarantine + `DELETE FROM generation WHERE slot = 9999`, "not erased"},
		{"a watermark that falls", `UPDATE store SET watermark = 5; UPDATE store SET watermark = 4`, "never falls"},
		{"a picture of a nobody", `INSERT INTO generation VALUES (9999, randomblob(16), 77, 1, 1, 1, NULL)`, "FOREIGN KEY"},
		{"the same user twice", `INSERT INTO user SELECT NULL, iid, id, organization, created, changed, sequence, NULL, 0, NULL FROM user`, "UNIQUE"},
		{"a user of no organisation", `INSERT INTO user VALUES (NULL, 1, 'x', 'nowhere', 1, 1, 1, NULL, 0, NULL)`, "FOREIGN KEY"},
		{"a change before the registration", `UPDATE user SET changed = created - 1`, "CHECK"},
		{"a user with a picture off the record", `UPDATE user SET removed = 1 WHERE uid = 1`, "has a picture"},
		{"a user with a picture who has ended", `UPDATE user SET removed = 2, ended = 1 WHERE uid = 1`, "has a picture"},
		{"a user who has ended without a number", `UPDATE user SET removed = 2 WHERE uid = 3`, "no such state of a user"},
		{"a number of a user who has not ended", `UPDATE user SET removed = 1, ended = 1 WHERE uid = 3`, "no such state of a user"},
		{"a user who is ending", `UPDATE user SET removed = 3 WHERE uid = 3`, "no such state of a user"},
		{"two users of one end", `UPDATE user SET removed = 2, ended = 1 WHERE uid = 3; INSERT INTO user VALUES (NULL, 1, 'x', '` + testOrg + `', 1, 1, 1, NULL, 2, 1)`, "UNIQUE"},
		{"an organisation of an unknown state", `UPDATE organization SET removed = 4`, "no such state of an organisation"},
		{"a receipt that moves to another organisation", `UPDATE receipt SET organization = 'x'`, "never changes"},
		{"a receipt that names another caller", `UPDATE receipt SET audit = 1`, "never changes"},
		{"text in a number's place", `UPDATE user SET sequence = 'many'`, "cannot store TEXT"},
	} {
		err := s.db.conn.Exec("BEGIN; " + test.sql + "; COMMIT;")
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want an error with %q", test.title, err, test.want)
		}
		if err := s.db.rollback(); err != nil {
			t.Fatal(err)
		}
	}
}

// inQuarantine puts the slot of an upload that was given up out of use.
const inQuarantine = `INSERT INTO receipt VALUES (500, 1, randomblob(16), 0, 3, NULL, 0, NULL, NULL); INSERT INTO generation VALUES (9999, randomblob(16), 1, 1, 1, 1, NULL);
	UPDATE generation SET state = 3, receipt = 500 WHERE slot = 9999; INSERT INTO quarantine VALUES (9999, 500, 0);
	UPDATE store SET watermark = 500;`

// Every change and read finds its rows by their keys: none of the statements that serve takes a step through a whole table,
// and none could but those that look for rows that refer to nothing, which SQLite does only while there are some.
func TestNoTableScans(t *testing.T) {
	s := openTest(t, t.TempDir())
	for i := range 20 {
		mustPut(t, s, i%4, 100)
		if _, err := s.Get(context.Background(), testKey(i%4), testOrg); err != nil {
			t.Error(err)
		}
		if i%3 == 0 {
			mustRemove(t, s, i%4)
		}
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	for i, sql := range statements {
		if n := s.db.stmts[i].Status(sqlite3.STMTSTATUS_FULLSCAN_STEP, false); n > 0 {
			t.Errorf("%s: %d steps of a full scan", sql, n)
		}
		if strings.HasPrefix(sql, "BEGIN") || strings.HasPrefix(sql, "COMMIT") {
			continue
		}
		refers := strings.HasPrefix(sql, "INSERT")
		err := s.db.once("EXPLAIN QUERY PLAN "+sql, func(row *sqlite3.Stmt) bool {
			// The table store has one row.
			if plan := row.ColumnText(3); strings.HasPrefix(plan, "SCAN") && plan != "SCAN store" && !refers {
				t.Errorf("%s: %s", sql, plan)
			}
			return true
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// No update calls a function, in a check or by itself: it might fail halfway, and SQLite would copy each page it changes.
func TestUpdatesCallNothing(t *testing.T) {
	s := openTest(t, t.TempDir())
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	for _, sql := range statements {
		if !strings.HasPrefix(sql, "UPDATE") {
			continue
		}
		err := s.db.once("EXPLAIN "+sql, func(row *sqlite3.Stmt) bool {
			if op := row.ColumnText(1); strings.HasSuffix(op, "Func") || op == "Function" {
				t.Errorf("%s: %s %s", sql, op, row.ColumnText(5))
			}
			return true
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// filledDir makes a data directory with one picture, and closes it.
func filledDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, 1, 100)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// foreignData are ways to make a directory one that cannot be opened, with a part of the reason.
var foreignData = []struct {
	title string
	spoil func(t *testing.T, dir string)
	want  string
}{
	{"a newer schema", func(t *testing.T, dir string) {
		editData(t, dir, fmt.Sprint("PRAGMA user_version = ", len(migrations)+1))
	}, "newer"},
	{"another program's database", func(t *testing.T, dir string) { editData(t, dir, "PRAGMA application_id = 1") }, "not one of avatard"},
	{"no slab", func(t *testing.T, dir string) { remove1(t, filepath.Join(dir, slabName)) }, "pictures.slab is missing"},
	{"a cut slab", func(t *testing.T, dir string) {
		if err := os.Truncate(filepath.Join(dir, slabName), 8192); err != nil {
			t.Fatal(err)
		}
	}, "the database knows of"},
	{"another store's slab", func(t *testing.T, dir string) {
		other, err := os.ReadFile(filepath.Join(filledDir(t), slabName))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, slabName), other, 0o600); err != nil {
			t.Fatal(err)
		}
	}, "of two stores"},
	{"no database, but a slab", func(t *testing.T, dir string) { remove1(t, filepath.Join(dir, databaseName)) }, "avatard.db is missing"},
}

// Data of a newer program, of another program and of two directories mixed is refused with a reason.
func TestOpenForeignData(t *testing.T) {
	for _, test := range foreignData {
		t.Run(test.title, func(t *testing.T) {
			dir := filledDir(t)
			test.spoil(t, dir)
			s, err := Open(t.Context(), Config{Dir: dir})
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Open = %v, want an error with %q", err, test.want)
			}
		})
	}
}

func remove1(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
}

// Only the owner can read the files of the data directory.
func TestFileModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	openTest(t, dir)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v, %v, want 0700", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) < 4 {
		t.Errorf("%d files, want database, log, slab and lock", len(entries))
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v, want 0600", entry.Name(), info.Mode(), err)
		}
	}
}
