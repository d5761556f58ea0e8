package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/internal/cli"
)

// Receipts in several files, each since the one before: restore takes them together, and notices when one is missing.
func TestReceiptsSinceCommands(t *testing.T) {
	dir, files := t.TempDir(), t.TempDir()
	name := func(s string) string { return filepath.Join(files, s) }
	change := func(user string) {
		t.Helper()
		store := openStore(t, dir)
		putFor(t, store, user, 1000)
		putFor(t, store, user, 1200)
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	change("alice")
	for _, args := range [][]string{
		{name("full")},
		{"--receipts-only", "--since", name("full"), name("r1")},
		{"--receipts-only", "--since", name("r1"), name("r2")},
	} {
		if _, stderr, code := runAll(t, append([]string{"backup", "--data", dir}, args...)...); code != cli.ExitOK {
			t.Fatalf("backup %v = exit code %d, %s", args, code, stderr)
		}
		change("bob")
	}
	if _, stderr, code := runAll(t, "backup", "--data", dir, "--since", name("full"), name("x")); code != cli.ExitUsage || !strings.Contains(stderr, "goes with --receipts-only") {
		t.Errorf("backup --since alone = exit code %d, %s", code, stderr)
	}
	if _, stderr, code := runAll(t, "backup", "--data", t.TempDir(), "--receipts-only", "--since", name("none"), name("x")); code != cli.ExitFailed || !strings.Contains(stderr, "no such file") {
		t.Errorf("backup --since of nothing = exit code %d, %s", code, stderr)
	}
	if _, stderr, code := runAll(t, "backup", "--data", dir, "--receipts-only", "--since", name("r2"), "--force", name("r2")); code != cli.ExitFailed || !strings.Contains(stderr, "goes on from") {
		t.Errorf("backup --since the file that it replaces = exit code %d, %s", code, stderr)
	}
	if stdout, stderr, code := runAll(t, "restore", "--check", name("full"), "--receipts", name("r1"), "--receipts", name("r2")); code != cli.ExitOK || strings.Count(stdout, "\n") != 3 ||
		!strings.Contains(stdout, "r2: 2 receipts since 20") {
		t.Errorf("restore --check = exit code %d, %s%s", code, stdout, stderr)
	}
	if _, stderr, code := runAll(t, "restore", "--check", name("full"), "--receipts", name("r2")); code != cli.ExitFailed || !strings.Contains(stderr, "is not known") {
		t.Errorf("restore --check with a gap = exit code %d, %s", code, stderr)
	}
	if _, stderr, code := runAll(t, "restore", "--check", name("full"), "--receipts", name("r2"), "--allow-gap"); code != cli.ExitOK {
		t.Errorf("restore --check --allow-gap = exit code %d, %s", code, stderr)
	}
	_, stderr, code := runAll(t, "restore", name("full"), "--receipts", name("r2"), "--data", name("gap"))
	if code != cli.ExitFailed || !strings.Contains(stderr, "is not known") || !strings.Contains(stderr, "--allow-gap") {
		t.Errorf("restore with a gap = exit code %d, %s", code, stderr)
	}
	_, stderr, code = runAll(t, "restore", name("full"), "--receipts", name("r2"), "--allow-gap", "--data", name("gap"))
	if code != cli.ExitOK || !strings.Contains(stderr, "is back") {
		t.Errorf("restore --allow-gap = exit code %d, %s", code, stderr)
	}
	stdout, stderr, code := runAll(t, "restore", name("full"), "--receipts", name("r2"), "--receipts", name("r1"), "--data", name("whole"))
	if code != cli.ExitOK || strings.Contains(stderr, "warning") || !strings.Contains(stdout, "2 users") {
		t.Errorf("restore = exit code %d, %s%s", code, stdout, stderr)
	}
}
