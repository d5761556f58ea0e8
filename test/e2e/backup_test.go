package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/cli"
	"example.org/avatard/storage"
	"example.org/avatard/storage/faulty"
)

// runAll runs a command to its end and returns everything it printed and its exit code.
func runAll(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, problems bytes.Buffer
	code = cli.Report(&problems, run(t.Context(), args, nil, &out, &problems))
	return out.String(), problems.String(), code
}

func putFor(t *testing.T, store storage.Store, user string, size int) storage.Picture {
	t.Helper()
	key := storage.UserKey{Issuer: "https://id.example", ID: user}
	_, err := store.Put(t.Context(), storage.Upload{User: key, Organization: "acme", By: admin.CommandLine, Register: true,
		Picture: storage.Picture{Format: storage.PNG, Data: bytes.Repeat([]byte(user), size)}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := store.Get(t.Context(), key, "acme")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func removeFor(t *testing.T, store storage.Store, user string) {
	t.Helper()
	key := storage.UserKey{Issuer: "https://id.example", ID: user}
	if _, err := store.Remove(t.Context(), storage.Removal{User: key, Organization: "acme", By: admin.CommandLine}); err != nil {
		t.Fatal(err)
	}
}

// The whole way: a backup beside a running server, deletes, the receipts of later, a restore, and a backup of what was
// restored, with no server.
func TestBackupAndRestoreCommands(t *testing.T) {
	root := t.TempDir()
	dir, restored, files := filepath.Join(root, "data"), filepath.Join(root, "restored"), filepath.Join(root, "files")
	if err := os.Mkdir(files, 0o700); err != nil {
		t.Fatal(err)
	}
	full, receipts := filepath.Join(files, "full"), filepath.Join(files, "receipts")
	store, stop := startAdmin(t, dir)
	alice := putFor(t, store, "alice", 20_000)
	putFor(t, store, "bob", 100)
	putFor(t, store, "carol", 100)
	removeFor(t, store, "carol")
	stdout, stderr, code := runAll(t, "backup", full, "--data", dir)
	if want := full + ": 3 users, 2 pictures and 1 receipt as of "; code != cli.ExitOK || !strings.HasPrefix(stdout, want) {
		t.Fatalf("backup printed %q, %q, exit code %d, want %q", stdout, stderr, code, want)
	}
	removeFor(t, store, "bob")
	stdout, stderr, code = runAll(t, "backup", "--receipts-only", "--data", dir, receipts)
	if want := receipts + ": 2 receipts as of "; code != cli.ExitOK || !strings.HasPrefix(stdout, want) {
		t.Fatalf("backup --receipts-only printed %q, %q, exit code %d, want %q", stdout, stderr, code, want)
	}
	if info, err := os.Stat(receipts); err != nil || info.Size() > 2000 || info.Mode().Perm() != 0o600 {
		t.Errorf("the receipts are %v bytes with mode %v, want few, for their owner", info.Size(), info.Mode())
	}

	wantRestored(t, "restore", full, "--receipts", receipts, "--data", restored)
	stdout, stderr, code = runAll(t, "restore", full, "--data", filepath.Join(root, "without"))
	if want := "without --receipts every picture that was deleted or replaced after "; code != cli.ExitOK || !strings.Contains(stderr, want) {
		t.Errorf("restore without receipts printed %q, %q, exit code %d, want %q", stdout, stderr, code, want)
	}
	stdout, stderr, code = runAll(t, "restore", full, "--data", filepath.Join(root, "older"), "--receipts", full)
	if code != cli.ExitOK || strings.Contains(stderr, "older") {
		t.Errorf("restore with itself printed %q, %q, exit code %d", stdout, stderr, code)
	}
	stop()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}

	wantAliceWithoutBob(t, restored, alice)
	second := filepath.Join(files, "second")
	stdout, stderr, code = runAll(t, "backup", second, "--data", restored)
	if want := "3 users, 1 picture and 2 receipts"; code != cli.ExitOK || !strings.Contains(stdout, want) {
		t.Errorf("backup without a server printed %q, %q, exit code %d, want %q", stdout, stderr, code, want)
	}
	stdout, _, code = runAll(t, "restore", "--check", second, "--receipts", receipts)
	if code != cli.ExitOK || strings.Count(stdout, "\n") != 2 || !strings.Contains(stdout, "3 users, 1 picture") {
		t.Errorf("restore --check printed %q, exit code %d", stdout, code)
	}
	names, _ := os.ReadDir(files)
	if len(names) != 3 {
		t.Errorf("the files are %v, want three", names)
	}
}

func TestBackupCommandRefuses(t *testing.T) {
	root := t.TempDir()
	dir, there := filepath.Join(root, "data"), filepath.Join(root, "there")
	if err := openStore(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(there, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		title, args, stderr string
		code                int
	}{
		{"no file", "backup --data " + dir, "usage: avatard backup FILE", cli.ExitUsage},
		{"two files", "backup a b --data " + dir, "usage: avatard backup FILE", cli.ExitUsage},
		{"no data", "backup a", "data: is not set", cli.ExitUsage},
		{"a file that is there", "backup " + there + " --data " + dir, "--force", cli.ExitFailed},
		{"the data directory", "backup " + filepath.Join(dir, "b") + " --data " + dir, "write it elsewhere", cli.ExitFailed},
		{"the data directory by another name", "backup " + filepath.Join(root, "link", "b") + " --data " + dir, "write it elsewhere", cli.ExitFailed},
		{"a directory that is not there", "backup " + filepath.Join(root, "no", "b") + " --data " + dir, "no such file", cli.ExitFailed},
		{"data that is not there", "backup " + filepath.Join(root, "b") + " --data " + filepath.Join(root, "no"), "there is no database in ", cli.ExitFailed},
		{"a directory for a file", "backup --force " + root + " --data " + dir, "no regular file", cli.ExitFailed},
		{"nothing to restore", "restore --data " + dir, "usage: avatard restore FILE", cli.ExitUsage},
		{"no directory to restore into", "restore " + there, "data: is not set", cli.ExitUsage},
		{"into a directory with data", "restore " + there + " --data " + dir, "no backup of avatard", cli.ExitFailed},
		{"a check of something else", "restore --check " + there, there + ": this is no backup", cli.ExitFailed},
	} {
		t.Run(tt.title, func(t *testing.T) {
			_, stderr, code := runAll(t, strings.Fields(tt.args)...) // no name here has a space
			if code != tt.code || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("avatard %s: exit code %d, %q, want %d, %q", tt.args, code, stderr, tt.code, tt.stderr)
			}
		})
	}
	if data, _ := os.ReadFile(there); string(data) != "precious" {
		t.Errorf("the file holds %q now", data)
	}
	if _, err := os.Stat(filepath.Join(root, "no")); err == nil {
		t.Error("a directory was made")
	}
	if _, stderr, code := runAll(t, "backup", "--force", there, "--data", dir); code != cli.ExitOK {
		t.Errorf("backup --force = exit code %d, %q", code, stderr)
	}
	_, stderr, code := runAll(t, "restore", there, "--data", dir)
	if code != cli.ExitFailed || !strings.Contains(stderr, "there is a store already") {
		t.Errorf("restore over a store = exit code %d, %q", code, stderr)
	}
	store := openStore(t, dir)
	defer store.Close()
	if _, stderr, code := runAll(t, "backup", filepath.Join(root, "b"), "--data", dir); code != cli.ExitInUse || !strings.Contains(stderr, "in use") {
		t.Errorf("backup of a store that somebody else holds, without a server = exit code %d, %q", code, stderr)
	}
}

// A picture that the disk does not give back is named, the others are in the file, and the exit code tells.
func TestBackupOfADamagedPicture(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "file")
	store := openStore(t, dir)
	damaged := putFor(t, store, "alice", 1000)
	putFor(t, store, "bob", 1000)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	slab, err := os.ReadFile(filepath.Join(dir, "pictures.slab"))
	if err != nil {
		t.Fatal(err)
	}
	slab[bytes.Index(slab, damaged.Data)] ^= 1
	if err := os.WriteFile(filepath.Join(dir, "pictures.slab"), slab, 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := runAll(t, "backup", file, "--data", dir)
	if code != cli.ExitFailed || !strings.Contains(stdout, "2 users, 1 picture") || !strings.Contains(stderr, damaged.Generation) ||
		!strings.Contains(stderr, "1 picture could not be read") {
		t.Errorf("backup printed %q, %q, exit code %d, want the damaged picture named", stdout, stderr, code)
	}
	if _, stderr, code := runAll(t, "restore", file, "--check"); code != cli.ExitOK {
		t.Errorf("the file is no backup: %s", stderr)
	}
}

// recordsOf returns all records of a store.
func recordsOf(t *testing.T, store storage.Keeper) (all []storage.Record) {
	t.Helper()
	err := store.Export(t.Context(), storage.ExportOptions{}, func(record storage.Record) error {
		if p, ok := record.(storage.PictureRecord); ok {
			p.Data = bytes.Clone(p.Data)
			record = p
		}
		all = append(all, record)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// give returns an export of these records that ends with an error.
func give(records []storage.Record, end error) func(context.Context, func(storage.Record) error) error {
	return func(_ context.Context, to func(storage.Record) error) error {
		for _, record := range records {
			if err := to(record); err != nil {
				return err
			}
		}
		return end
	}
}

// A server that cannot go on, or that ends, leaves no file and a clear word; its inner story stays in its log.
func TestBackupOfAServerThatBreaksOff(t *testing.T) {
	root := t.TempDir()
	source := openStore(t, filepath.Join(root, "source"))
	putFor(t, source, "alice", 100_000)
	records := recordsOf(t, source)
	unended := records[:len(records)-1]
	for _, tt := range []struct {
		title  string
		export func(context.Context, func(storage.Record) error) error
		stderr string
	}{
		{"before it begins", give(nil, errors.New("planted")), "not available now"},
		{"in the middle", give(unended, errors.New("planted")), "broke off"},
		{"with an answer that is not whole", give(unended, nil), "broke off"},
	} {
		t.Run(tt.title, func(t *testing.T) {
			dir, files := t.TempDir(), t.TempDir()
			stop, err := admin.Serve(dir, &admin.Server{Store: faulty.Engine{OnExport: tt.export}, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer stop()
			_, stderr, code := runAll(t, "backup", filepath.Join(files, "file"), "--data", dir)
			if code != cli.ExitFailed || !strings.Contains(stderr, tt.stderr) || strings.Contains(stderr, "planted") {
				t.Errorf("backup = exit code %d, %q, want %q", code, stderr, tt.stderr)
			}
			if names, _ := os.ReadDir(files); len(names) > 0 {
				t.Errorf("%v was left", names)
			}
		})
	}
}

// A server that answers with something else, as one of another version may, leaves no file.
func TestBackupOfAServerThatSendsNone(t *testing.T) {
	dir, files := t.TempDir(), t.TempDir()
	ln, err := net.Listen("unix", filepath.Join(dir, admin.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	srv.Listener.Close()
	srv.Listener = ln
	srv.Start()
	defer srv.Close()
	_, stderr, code := runAll(t, "backup", filepath.Join(files, "file"), "--data", dir)
	if code != cli.ExitFailed || !strings.Contains(stderr, "no backup of avatard") {
		t.Errorf("backup = exit code %d, %q", code, stderr)
	}
	if names, _ := os.ReadDir(files); len(names) > 0 {
		t.Errorf("%v was left", names)
	}
}

// syncedBuffer is a log that is read while it is written.
type syncedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *syncedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// What the server's log says of a backup is what became of it: sent is not received.
func TestBackupIsLoggedAsWhatItIs(t *testing.T) {
	source := openStore(t, filepath.Join(t.TempDir(), "source"))
	putFor(t, source, "alice", 1000)
	records := recordsOf(t, source)
	wrong := slices.Clone(records)
	end := wrong[len(wrong)-1].(storage.EndRecord)
	end.Counts.Users++
	wrong[len(wrong)-1] = end
	for _, tt := range []struct {
		title     string
		records   []storage.Record
		directory bool // the receiver cannot give the file its name
		code      int
		want      string
		level     string
	}{
		{"all is well", records, false, cli.ExitOK, "backup received", "INFO"},
		{"bytes that the receiver refuses", wrong, false, cli.ExitFailed, "backup failed at its receiver", "ERROR"},
		{"a file that cannot be written", records, true, cli.ExitFailed, "backup failed at its receiver", "ERROR"},
	} {
		t.Run(tt.title, func(t *testing.T) {
			dir, file := t.TempDir(), filepath.Join(t.TempDir(), "file")
			if tt.directory {
				if err := os.Mkdir(file, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			var log syncedBuffer
			stop, err := admin.Serve(dir, &admin.Server{Store: faulty.Engine{OnExport: give(tt.records, nil)}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			_, stderr, code := runAll(t, "backup", "--force", file, "--data", dir)
			stop()
			if code != tt.code {
				t.Errorf("backup = exit code %d, %q, want %d", code, stderr, tt.code)
			}
			said := log.String()
			if !strings.Contains(said, "level="+tt.level+" msg=\""+tt.want+"\" backup=1") || code != cli.ExitOK && strings.Contains(said, "received") {
				t.Errorf("the log says\n%swant %s %q", said, tt.level, tt.want)
			}
		})
	}
}

// wantAliceWithoutBob demands that restored data holds alice's picture, and not bob's, which was deleted after the backup.
func wantAliceWithoutBob(t *testing.T, dir string, alice storage.Picture) {
	t.Helper()
	again := openStore(t, dir)
	got, err := again.Get(t.Context(), storage.UserKey{Issuer: "https://id.example", ID: "alice"}, "acme")
	if err != nil || got.Generation != alice.Generation || !bytes.Equal(got.Data, alice.Data) {
		t.Errorf("Get(alice) = %d bytes of %s, %v, want %d of %s", len(got.Data), got.Generation, err, len(alice.Data), alice.Generation)
	}
	if _, err := again.Get(t.Context(), storage.UserKey{Issuer: "https://id.example", ID: "bob"}, "acme"); !errors.Is(err, storage.ErrNoPicture) {
		t.Errorf("Get(bob) = %v, want %v: it was deleted after the backup", err, storage.ErrNoPicture)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

// wantRestored runs a restore of three users of whom two have deleted their pictures.
func wantRestored(t *testing.T, args ...string) {
	t.Helper()
	stdout, stderr, code := runAll(t, args...)
	for _, want := range []string{"restored: 3 users, 1 picture (100000 bytes), 1 organisation, 2 receipts, ",
		"left out: 1 picture that newer receipts name as erased\n", "erasures are known up to ", "the newest receipt is of "} {
		if code != cli.ExitOK || !strings.Contains(stdout, want) {
			t.Errorf("restore printed %q, exit code %d, want %q", stdout, code, want)
		}
	}
	if strings.Contains(stderr, "warning") {
		t.Errorf("restore warns: %q", stderr)
	}
}
