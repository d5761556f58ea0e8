package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/internal/cli"
	"example.org/avatard/storage/embedded"
)

// What migrate says, on directories in every state. How versions are brought forward is proved beside the engine.
func TestMigrateCommand(t *testing.T) {
	newest := fmt.Sprintf("schema version %d is the newest: nothing to do\n", embedded.SchemaVersion())
	for _, tt := range []struct {
		title   string
		prepare func(t *testing.T, dir string)
		flags   string
		code    int
		stdout  string
		stderr  string // contained
	}{
		{"up to date", withVersion(embedded.SchemaVersion()), "", cli.ExitOK, newest, ""},
		{"up to date, only looking", withVersion(embedded.SchemaVersion()), "--check", cli.ExitOK, newest, ""},
		{"all versions ahead", withEmptyFile, "", cli.ExitOK, stepLines("done"), ""},
		{"all versions ahead, only looking", withEmptyFile, "--check", cli.ExitOK, stepLines("would be done"), ""},
		{"the data is of a newer program", withVersion(99), "", cli.ExitData, "", "newer than this program: the data has version 99"},
		{"the data is of a newer program, only looking", withVersion(99), "--check", cli.ExitData, "", "newer than this program: the data has version 99"},
		{"a server runs", openUntilEnd, "", cli.ExitInUse, "", "in use by another process"},
		{"a server runs, only looking", openUntilEnd, "--check", cli.ExitInUse, "", "stop the server first"},
		{"a directory without data", func(*testing.T, string) {}, "", cli.ExitFailed, "", "there is no database in "},
		{"a word too many", func(*testing.T, string) {}, "now", cli.ExitUsage, "", "usage: avatard migrate"},
	} {
		t.Run(tt.title, func(t *testing.T) {
			dir := t.TempDir()
			tt.prepare(t, dir)
			var stdout, stderr bytes.Buffer
			args := append([]string{"migrate", "--data", dir}, strings.Fields(tt.flags)...)
			code := cli.Report(&stderr, run(t.Context(), args, nil, &stdout, io.Discard))
			if code != tt.code || stdout.String() != tt.stdout || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("exit code %d, stdout %q, stderr %q, want %d, %q and %q", code, &stdout, &stderr, tt.code, tt.stdout, tt.stderr)
			}
		})
	}
}

func stepLines(verb string) string {
	var b strings.Builder
	for version := range embedded.SchemaVersion() {
		fmt.Fprintf(&b, "schema version %d: %s\n", version+1, verb)
	}
	return b.String()
}

// openUntilEnd has the data open for the rest of the test.
func openUntilEnd(t *testing.T, dir string) { openStore(t, dir) }

// withVersion makes data of a schema version.
func withVersion(version int) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		if err := openStore(t, dir).Close(); err != nil {
			t.Fatal(err)
		}
		conn, err := sqlite3.Open(filepath.Join(dir, "avatard.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.Exec(fmt.Sprint("PRAGMA user_version = ", version)); err != nil {
			t.Fatal(err)
		}
	}
}

// withEmptyFile makes data of no version yet.
func withEmptyFile(t *testing.T, dir string) {
	if err := os.WriteFile(filepath.Join(dir, "avatard.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}
