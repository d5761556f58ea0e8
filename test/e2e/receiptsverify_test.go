package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/cli"
	"example.org/avatard/storage"
)

// eraseIn ends users who have a picture, and returns their receipts.
func eraseIn(t *testing.T, store storage.Engine, users ...string) (receipts []string) {
	t.Helper()
	for _, user := range users {
		putFor(t, store, user, 10)
		res, err := store.EraseUser(t.Context(), storage.Removal{User: storage.UserKey{Issuer: "https://id.example", ID: user}, Organization: "acme", By: admin.CommandLine})
		if err != nil {
			t.Fatal(err)
		}
		receipts = append(receipts, res.Receipt)
	}
	return receipts
}

// noteHead keeps the head of a log in a file.
func noteHead(t *testing.T, dir string) (file string) {
	t.Helper()
	out, err := runCommand(t, "receipts", "head", "--data="+dir)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "head")
	if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// copyOf copies the directory of a store that is closed.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "data")
	if err := errors.Join(os.CopyFS(copied, os.DirFS(dir)), os.Chmod(filepath.Join(copied, "receipts.key"), 0o600)); err != nil {
		t.Fatal(err)
	}
	return copied
}

// alter lets somebody change rows of the database of a store that is closed. What the schema would refuse they take out of the way.
func alter(t *testing.T, dir, sql string) {
	t.Helper()
	conn, err := sqlite3.Open(filepath.Join(dir, "avatard.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, trigger := range []string{"receipt_stays", "receipt_goes", "receipt_gone", "receipt_log_stays", "receipt_log_order"} {
		if err := conn.Exec("DROP TRIGGER " + trigger); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Exec("PRAGMA foreign_keys = OFF; " + sql); err != nil {
		t.Fatal(err)
	}
}

// wantVerified demands what "receipts verify" finds in a directory, beside a server and without one; "" = nothing.
func wantVerified(t *testing.T, title, dir, finding string, noted ...string) {
	t.Helper()
	args := []string{"receipts", "verify", "--data=" + dir}
	for _, file := range noted {
		args = append(args, "--noted="+file)
	}
	verify := func(how string) {
		t.Helper()
		switch out, problems, code := runAll(t, args...); {
		case finding == "" && (code != cli.ExitOK || !strings.HasSuffix(out, ": clean\n")):
			t.Errorf("%s, %s: exit code %d, %q, %q, want it clean", title, how, code, out, problems)
		case finding != "" && (code != cli.ExitFailed || out != finding+"\n" || problems != "avatard: receipts verify: the log of receipts is not as it was sealed\n"):
			t.Errorf("%s, %s: exit code %d, %q, %q, want %q", title, how, code, out, problems, finding)
		}
	}
	verify("without a server")
	store, stop := startAdmin(t, dir)
	verify("beside a server")
	stop()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// Whoever alters, removes or swaps rows of the database is found out, and the receipt is named; who goes back to an older state and writes
// another history from there, with the right key, is found out by a head that was noted.
func TestReceiptsVerifyNamesWhatWasDone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	store := openStore(t, dir)
	ids := eraseIn(t, store, "ann", "ben", "cem", "dan", "eve")
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	early := noteHead(t, dir)
	for title, row := range map[string]struct{ sql, finding string }{
		"altered": {"UPDATE receipt SET reason = 2 WHERE seq = 3", "receipt " + ids[2] + " at place 2 is not the one that was sealed there"},
		"removed": {"DELETE FROM receipt WHERE seq = 3", "the receipt at place 2 is missing, before receipt " + ids[3]},
		"swapped": {"UPDATE receipt_log SET place = 9 WHERE place = 1; UPDATE receipt_log SET place = 1 WHERE place = 3; UPDATE receipt_log SET place = 3 WHERE place = 9",
			"receipt " + ids[3] + " is at place 1 and was sealed at place 3"},
	} {
		changed := copyOf(t, dir)
		wantVerified(t, "before a row was "+title, changed, "")
		alter(t, changed, row.sql)
		wantVerified(t, "a row was "+title, changed, row.finding)
	}

	other := copyOf(t, dir)
	for at, user := range map[string]string{dir: "fay", other: "gus"} {
		store := openStore(t, at)
		eraseIn(t, store, user)
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	late := noteHead(t, dir)
	noteHead(t, other)
	wantVerified(t, "the one history", dir, "", early, late)
	wantVerified(t, "the other history", other, "", early)
	wantVerified(t, "the other history", other, "the receipt at place 5 is not what the noted head of 6 has there: history was rewritten", early, late)
}
