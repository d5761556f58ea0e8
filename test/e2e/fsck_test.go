package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/cli"
	"example.org/avatard/storage"
	"example.org/avatard/storage/faulty"
)

// runFsckOn runs fsck and returns what it printed and its exit code.
func runFsckOn(t *testing.T, dir string, flags ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = cli.Report(&errs, run(t.Context(), append([]string{"fsck", "--data", dir}, flags...), nil, &out, io.Discard))
	return out.String(), errs.String(), code
}

// putPicture stores bytes that are not a picture. The store does not look at them.
func putPicture(t *testing.T, store storage.Store, user string, data []byte) {
	t.Helper()
	_, err := store.Put(t.Context(), storage.Upload{User: storage.UserKey{Issuer: "https://id.example", ID: user}, Organization: "acme",
		Register: true, Picture: storage.Picture{Format: storage.PNG, Data: data}})
	if err != nil {
		t.Fatal(err)
	}
}

// spoilSlab writes bytes into a data directory's slab.
func spoilSlab(t *testing.T, dir string, off int64, data string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "pictures.slab"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(data), off); err != nil {
		t.Fatal(err)
	}
}

// What fsck prints and how it ends, beside a server and without one: clean, with findings, repaired, clean again.
func TestFsckCommand(t *testing.T) {
	const slot = 4096
	for _, beside := range []bool{false, true} {
		name := "without a server"
		if beside {
			name = "beside a server"
		}
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			store := openStore(t, dir)
			putPicture(t, store, "alice", []byte("alice's picture"))
			putPicture(t, store, "bob", []byte("bob's picture"))
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			if beside {
				var stop func()
				store, stop = startAdmin(t, dir)
				defer stop()
			}
			const clean = "16 slots, 2 pictures, 2 users and 0 receipts checked: clean\n"
			if out, errs, code := runFsckOn(t, dir); out != clean || errs != "" || code != cli.ExitOK {
				t.Errorf("fsck = %q, %q, %d, want %q, 0", out, errs, code, clean)
			}
			spoilSlab(t, dir, 9*slot+100, "orphan")          // a slot that nobody has
			spoilSlab(t, dir, 1*slot+32, "\x00damaged\x00!") // alice's picture
			out, errs, code := runFsckOn(t, dir)
			for _, want := range []string{
				"orphaned-bytes, page 9: 6 bytes in a slot that no living picture owns\n",
				"picture-missing, page 1, user \"alice\", picture ", ": the bytes of the picture are not those that were written\n",
				"checked: 2 found\n",
			} {
				if !strings.Contains(out, want) {
					t.Errorf("fsck printed %q, want %q in it", out, want)
				}
			}
			if errs != "avatard: fsck: 2 found\n" || code != cli.ExitFailed {
				t.Errorf("fsck = %q, %d, want 2 found, %d", errs, code, cli.ExitFailed)
			}
			checkFsckJSON(t, dir, false)
			checkFsckJSON(t, dir, true)
			if out, errs, code := runFsckOn(t, dir, "--json"); code != cli.ExitOK || errs != "" || strings.Count(out, "\n") != 1 {
				t.Errorf("fsck after the repair = %q, %q, %d, want a summary and 0", out, errs, code)
			}
			if !beside {
				store = openStore(t, dir)
			}
			alice, bob := storage.UserKey{Issuer: "https://id.example", ID: "alice"}, storage.UserKey{Issuer: "https://id.example", ID: "bob"}
			if _, err := store.Get(t.Context(), alice, "acme"); !errors.Is(err, storage.ErrNoPicture) {
				t.Errorf("alice's picture: %v, want %v", err, storage.ErrNoPicture)
			}
			if got, err := store.Get(t.Context(), bob, "acme"); err != nil || string(got.Data) != "bob's picture" {
				t.Errorf("bob's picture: %q, %v", got.Data, err)
			}
		})
	}
}

// checkFsckJSON reads the lines as a program would that knows docs/operating.md.
func checkFsckJSON(t *testing.T, dir string, repair bool) {
	t.Helper()
	flags := []string{"--json"}
	if repair {
		flags = append(flags, "--repair")
	}
	out, _, code := runFsckOn(t, dir, flags...)
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if code != cli.ExitFailed || len(lines) != 3 {
		t.Fatalf("fsck %v = %d, %q, want exit code %d and three lines", flags, code, out, cli.ExitFailed)
	}
	for _, line := range lines[:2] {
		var f map[string]any
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if kind := f["finding"]; kind != "orphaned-bytes" && kind != "picture-missing" {
			t.Errorf("%q: finding %v", line, kind)
		}
		if f["repaired"] != repair || (f["repair"] != nil) != repair || f["detail"] == "" || f["page"] == nil {
			t.Errorf("%q: want repaired %v", line, repair)
		}
	}
	var last struct {
		Summary map[string]int64 `json:"summary"`
	}
	if err := json.Unmarshal([]byte(lines[2]), &last); err != nil {
		t.Fatal(err)
	}
	repaired := int64(0)
	if repair {
		repaired = 2
	}
	if last.Summary["findings"] != 2 || last.Summary["repaired"] != repaired || last.Summary["pictures"] != 2 {
		t.Errorf("summary %v, want 2 findings, %d repaired", last.Summary, repaired)
	}
}

// An answer has as many lines as there are findings, and neither side keeps them.
func TestFsckManyFindings(t *testing.T) {
	const spoilt = 300
	dir := t.TempDir()
	store := openStore(t, dir)
	putPicture(t, store, "alice", []byte("a picture"))
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range spoilt { // each stretch of pages behind the last region is a finding
		spoilSlab(t, dir, (17+int64(i)*128)*4096, "orphan")
	}
	_, stop := startAdmin(t, dir)
	defer stop()
	out, _, code := runFsckOn(t, dir, "--json")
	if n := strings.Count(out, `"orphaned-bytes"`); n != spoilt || code != cli.ExitFailed {
		t.Errorf("%d findings, exit code %d, want %d, %d", n, code, spoilt, cli.ExitFailed)
	}
}

func TestFsckFails(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"fsck", "--data", dir}, cli.ExitFailed, "there is no database in "},
		{[]string{"fsck", "--repair", "--data", dir}, cli.ExitFailed, "there is no database in "},
		{[]string{"fsck", "now", "--data", dir}, cli.ExitUsage, "usage: avatard fsck [--repair]"},
		{[]string{"fsck"}, cli.ExitUsage, "data: is not set"},
		{[]string{"fsck", "--fix"}, cli.ExitUsage, "unknown flag --fix"},
	} {
		var errs bytes.Buffer
		if code := cli.Report(&errs, run(t.Context(), tt.args, nil, io.Discard, io.Discard)); code != tt.code || !strings.Contains(errs.String(), tt.want) {
			t.Errorf("%q = %d, %q, want %d, %q", tt.args, code, errs.String(), tt.code, tt.want)
		}
	}
	openStore(t, dir) // by a process that does not answer
	if _, errs, code := runFsckOn(t, dir); code != cli.ExitInUse || !strings.Contains(errs, "in use by another process") {
		t.Errorf("fsck of a locked directory = %d, %q", code, errs)
	}
}

// A check that does not come to its end is never taken for a clean one.
func TestFsckThatDoesNotEnd(t *testing.T) {
	var stop func()
	for _, tt := range []struct {
		title string
		check func(ctx context.Context, found func(storage.Finding) error) error
		want  string
	}{
		{"the connection is cut", func(context.Context, func(storage.Finding) error) error { panic(http.ErrAbortHandler) }, "the running server"},
		{"the connection is cut in the middle", func(_ context.Context, found func(storage.Finding) error) error {
			_ = found(storage.Finding{Kind: storage.OrphanedBytes})
			panic(http.ErrAbortHandler)
		}, "ended before the check did"},
		{"another check is under way", func(context.Context, func(storage.Finding) error) error { return storage.ErrChecking }, "another check is under way"},
		{"the store fails", func(context.Context, func(storage.Finding) error) error { return errors.New("planted") }, "the server's log says more"},
		{"the server stops", func(ctx context.Context, _ func(storage.Finding) error) error {
			go stop()
			<-ctx.Done()
			return ctx.Err()
		}, "the server is stopping"},
	} {
		t.Run(tt.title, func(t *testing.T) {
			dir := t.TempDir()
			stopped, err := admin.Serve(dir, &admin.Server{Store: faulty.Engine{OnCheck: tt.check}, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			stop = func() { stopped(); close(done) }
			out, errs, code := runFsckOn(t, dir, "--json")
			if code != cli.ExitFailed || !strings.Contains(errs, tt.want) || strings.Contains(errs, "planted") || strings.Contains(out, "summary") {
				t.Errorf("fsck = %q, %q, %d, want %q, %d", out, errs, code, tt.want, cli.ExitFailed)
			}
			if tt.title != "the server stops" {
				go stop()
			}
			<-done
		})
	}
}
