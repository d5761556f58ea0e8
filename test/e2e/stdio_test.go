//go:build unix

package e2e

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/cli"
	"example.org/avatard/storage"
	"example.org/avatard/storage/backup"
)

// loggedAdmin serves a store's socket and returns what it logs.
func loggedAdmin(t *testing.T, dir string, store storage.Engine) *syncedBuffer {
	t.Helper()
	log := new(syncedBuffer)
	stop, err := admin.Serve(dir, &admin.Server{Store: store, Issuer: "https://id.example", Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return log
}

// pipe is a pipe whose ends programs get.
func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		w.Close()
	})
	return r, w
}

// backup - | restore -, in processes of their own: what comes out is what was in the store, but for what the receipts name.
func TestBackupThroughAPipe(t *testing.T) {
	becomeProgram()
	root := t.TempDir()
	dir, restored, receipts := filepath.Join(root, "data"), filepath.Join(root, "restored"), filepath.Join(root, "receipts")
	t.Chdir(root)
	store := openStore(t, dir)
	log := loggedAdmin(t, dir, store)
	alice := putFor(t, store, "alice", 100_000)
	putFor(t, store, "bob", 100_000)

	saved, err := os.Create(filepath.Join(root, "saved"))
	if err != nil {
		t.Fatal(err)
	}
	defer saved.Close()
	startProcess(t, func(c *exec.Cmd) { c.Stdout = saved }, "backup", "-", "--data", dir).wantEnd("backup - > saved", cli.ExitOK,
		"standard output: 2 users, 2 pictures and 0 receipts as of ")
	removeFor(t, store, "bob")
	if _, stderr, code := runAll(t, "backup", "--receipts-only", receipts, "--data", dir); code != cli.ExitOK {
		t.Fatalf("backup --receipts-only: exit code %d, %s", code, stderr)
	}

	// The whole backup in a pipe, the receipts in a file; then the other way round.
	r, w := pipe(t)
	backup := startProcess(t, func(c *exec.Cmd) { c.Stdout = w }, "backup", "-", "--data", dir)
	restore := startProcess(t, func(c *exec.Cmd) { c.Stdin = r }, "restore", "-", "--data", restored, "--receipts", receipts)
	w.Close()
	backup.wantEnd("backup - |", cli.ExitOK, "standard output: 2 users, 1 picture and 1 receipt as of ")
	restore.wantEnd("| restore -", cli.ExitOK, "restored: 2 users, 1 picture (500000 bytes), 1 organisation, 1 receipt, ")
	r, w = pipe(t)
	backup = startProcess(t, func(c *exec.Cmd) { c.Stdout = w }, "backup", "-", "--receipts-only", "--data", dir)
	restore = startProcess(t, func(c *exec.Cmd) { c.Stdin = r }, "restore", saved.Name(), "--data", restored+"2", "--receipts", "-")
	w.Close()
	backup.wantEnd("backup --receipts-only - |", cli.ExitOK, "standard output: 1 receipt as of ")
	restore.wantEnd("| restore --receipts -", cli.ExitOK, "restored: 2 users, 1 picture ", "left out: 1 picture that newer receipts name")
	r, w = pipe(t)
	startProcess(t, func(c *exec.Cmd) { c.Stdout = w }, "backup", "-", "--receipts-only", "--data", dir).wantEnd("backup - |", cli.ExitOK)
	w.Close()
	startProcess(t, func(c *exec.Cmd) { c.Stdin = r }, "restore", "--check", "-").wantEnd("| restore --check -", cli.ExitOK, "standard input: 1 receipt as of ")

	if said := log.String(); strings.Count(said, "backup received") != 5 || strings.Contains(said, "failed") {
		t.Errorf("the server's log says:\n%swant 5 backups received", said)
	}
	for _, name := range []string{restored, restored + "2"} {
		again := openStore(t, name)
		got, err := again.Get(t.Context(), storage.UserKey{Issuer: "https://id.example", ID: "alice"}, "acme")
		if err != nil || got.Generation != alice.Generation || !bytes.Equal(got.Data, alice.Data) {
			t.Errorf("%s: Get(alice) = %d bytes of %s, %v", name, len(got.Data), got.Generation, err)
		}
		again.Close()
	}
	if names := dirNames(t, root); len(names) != 5 {
		t.Errorf("there are %v, want data, receipts, what was saved and restored twice", names)
	}
}

// A receiver that is gone is a backup that failed, for the exit code and for the server's log.
func TestBackupIntoAClosedPipe(t *testing.T) {
	becomeProgram()
	dir := t.TempDir()
	store := openStore(t, dir)
	putFor(t, store, "alice", 100_000)
	intoClosedPipe := func(title string) {
		r, w := pipe(t)
		r.Close()
		startProcess(t, func(c *exec.Cmd) { c.Stdout = w }, "backup", "-", "--data", dir).wantEnd(title, cli.ExitFailed,
			"avatard: backup: standard output: ", "broken pipe")
	}
	t.Run("server", func(t *testing.T) {
		log := loggedAdmin(t, dir, store)
		intoClosedPipe("beside a server")
		if said := log.String(); !strings.Contains(said, "level=ERROR msg=\"backup failed at its receiver\" backup=1") || strings.Contains(said, "received") {
			t.Errorf("the server's log says:\n%s", said)
		}
	})
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	intoClosedPipe("without a server")
}

// A backup that breaks off is refused by restore, however much of it has arrived.
func TestRestoreFromABrokenPipe(t *testing.T) {
	source := openStore(t, t.TempDir())
	putFor(t, source, "alice", 100_000)
	var whole bytes.Buffer
	if _, err := backup.Write(t.Context(), source, &whole, storage.ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	r, w := pipe(t)
	go func() {
		w.Write(whole.Bytes()[:whole.Len()-1])
		w.Close()
	}()
	dir := t.TempDir()
	var out bytes.Buffer
	p := &cli.Program{Stdin: r, Stdout: &out, Stderr: &out}
	err := p.Run(t.Context(), []string{"restore", "-", "--data", dir})
	if code := cli.Report(io.Discard, err); code != cli.ExitFailed || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("restore = %v, exit code %d", err, code)
	}
	if names := dirNames(t, dir); strings.Join(names, " ") != "lock" {
		t.Errorf("there are %v, want the lock alone", names)
	}
}

// Backups and pictures are neither written to a terminal nor read from one. Other devices are not terminals.
func TestStandardStreamsThatAreRefused(t *testing.T) {
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0) // a new pseudoterminal
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	zero, err := os.OpenFile("/dev/zero", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer zero.Close()
	dir := t.TempDir()
	if err := openStore(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		title, args string
		in, out     *os.File
		code        int
		text        string
	}{
		{"a terminal to write to", "backup - --data " + dir, null, screen, cli.ExitUsage, "standard output is a terminal"},
		{"another device", "backup - --data " + dir, null, zero, cli.ExitOK, ""},
		{"the null device", "backup - --data " + dir, null, null, cli.ExitOK, ""},
		{"a terminal to read from", "restore - --data " + dir, screen, null, cli.ExitUsage, "standard input is a terminal"},
		{"a terminal to read receipts from", "restore file --receipts - --data " + dir, screen, null, cli.ExitUsage, "standard input is a terminal"},
		{"a terminal to read a picture from", "put me - --url http://127.0.0.1:1 --token-file x", screen, null, cli.ExitUsage, "standard input is a terminal"},
		{"a terminal to write a picture to", "get me --url http://127.0.0.1:1 --token-file x", null, screen, cli.ExitUsage, "standard output is a terminal"},
		{"one stream for two files", "restore - --receipts - --data " + dir, null, null, cli.ExitUsage, "one file only"},
		{"to go on from a stream", "backup file --receipts-only --since - --data " + dir, null, null, cli.ExitUsage, "--since takes a file"},
		{"into a directory with data", "restore - --data " + dir, null, null, cli.ExitFailed, "there is a store already"},
	} {
		var stderr bytes.Buffer
		code := cli.Report(&stderr, (&cli.Program{Stdin: tt.in, Stdout: tt.out, Stderr: &stderr}).Run(t.Context(), strings.Fields(tt.args)))
		if code != tt.code || !strings.Contains(stderr.String(), tt.text) {
			t.Errorf("%s: exit code %d, want %d and %q:\n%s", tt.title, code, tt.code, tt.text, &stderr)
		}
	}
}
