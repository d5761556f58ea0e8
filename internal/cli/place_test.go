package cli

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/config"
	"example.org/avatard/storage"
	"example.org/avatard/storage/storagetest/memory"
)

// elsewhere runs commands on stores in memory, which the setting data names, and in a "directory" on the embedded engine.
type elsewhere struct {
	t      *testing.T
	stores *memory.Memory
	wrap   func(storage.Place) storage.Place
}

func (e *elsewhere) place(cfg config.Config) storage.Place {
	if filepath.IsAbs(cfg.Data) && filepath.Base(cfg.Data) == "directory" {
		return placeOf(cfg)
	}
	place := e.stores.Place(filepath.Base(cfg.Data))
	if e.wrap != nil {
		return e.wrap(place)
	}
	return place
}

func (e *elsewhere) run(stdin []byte, args ...string) (stdout []byte, stderr string, code int) {
	e.t.Helper()
	var out, problems bytes.Buffer
	p := &Program{Stdin: bytes.NewReader(stdin), Stdout: &out, Stderr: &problems, Place: e.place}
	code = Report(&problems, p.Run(e.t.Context(), args))
	return out.Bytes(), problems.String(), code
}

// want runs a command and demands what it prints, or a part of it.
func (e *elsewhere) want(code int, part string, args ...string) {
	e.t.Helper()
	stdout, stderr, got := e.run(nil, args...)
	if got != code || !strings.Contains(string(stdout)+stderr, part) {
		e.t.Errorf("%v = exit code %d, %q, %q, want %d and %q", args, got, stdout, stderr, code, part)
	}
}

func (e *elsewhere) open(name string) storage.Engine {
	e.t.Helper()
	s, err := e.stores.Place(name).Open(e.t.Context(), storage.OpenOptions{})
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { s.Close() })
	return s
}

// Commands do on any engine what they do on the embedded one: here there is not even a file.
func TestCommandsOnAnotherEngine(t *testing.T) {
	e := &elsewhere{t: t, stores: memory.New("")}
	issuer := "--issuer=https://id.example"
	for _, args := range [][]string{{"fsck"}, {"migrate"}, {"user", "list"}, {"backup", filepath.Join(t.TempDir(), "file")}} {
		e.want(ExitFailed, "there is no database in one", append(args, "--data=one")...)
	}
	e.want(ExitOK, "organisation acme added", "org", "add", "acme", "--data=one")
	e.want(ExitOK, "user alice added", "user", "add", "alice", "--org=acme", issuer, "--data=one")
	e.want(ExitOK, "user bob added", "user", "add", "bob", "--org=acme", issuer, "--data=one")
	e.want(ExitFailed, "nobody on record has the issuer", "user", "add", "eve", "--org=acme", "--issuer=https://other.example", "--data=one")
	e.want(ExitOK, "alice", "user", "list", "--data=one")
	e.want(ExitOK, "is the newest", "migrate", "--data=one")

	one := e.open("one")
	alice := storage.UserKey{Issuer: "https://id.example", ID: "alice"}
	bob := storage.UserKey{Issuer: "https://id.example", ID: "bob"}
	for user, text := range map[storage.UserKey]string{alice: "a picture of alice", bob: "a picture of bob"} {
		if _, err := one.Put(t.Context(), storage.Upload{User: user, Organization: "acme", Picture: storage.Picture{Format: storage.PNG, Data: []byte(text)}}); err != nil {
			t.Fatal(err)
		}
	}
	e.want(ExitOK, "2 pictures, 2 users and 0 receipts checked: clean", "fsck", "--data=one")

	// A pipe from one store into another; then what was erased since stays erased in a third.
	whole, stderr, code := e.run(nil, "backup", "-", "--data=one")
	if code != ExitOK {
		t.Fatalf("backup = exit code %d, %q", code, stderr)
	}
	if _, err := one.Remove(t.Context(), storage.Removal{User: alice, Organization: "acme"}); err != nil {
		t.Fatal(err)
	}
	receipts := filepath.Join(t.TempDir(), "receipts")
	e.want(ExitOK, "1 receipt", "backup", receipts, "--receipts-only", "--data=one")
	if out, stderr, code := e.run(whole, "restore", "-", "--data=two"); code != ExitOK || !strings.Contains(string(out), "2 users, 2 pictures") {
		t.Errorf("restore = exit code %d, %q, %q", code, out, stderr)
	}
	if out, stderr, code := e.run(whole, "restore", "-", "--receipts="+receipts, "--data=three"); code != ExitOK || !strings.Contains(string(out), "left out: 1 picture") {
		t.Errorf("restore with receipts = exit code %d, %q, %q", code, out, stderr)
	}
	if _, stderr, code := e.run(whole, "restore", "-", "--data=two"); code != ExitFailed || !strings.Contains(stderr, "there is a store already") {
		t.Errorf("restore into a store = exit code %d, %q", code, stderr)
	}
	e.want(ExitOK, "2 pictures, 2 users and 0 receipts checked: clean", "fsck", "--data=two")
	e.want(ExitOK, "1 picture, 2 users and 1 receipt checked: clean", "fsck", "--data=three")
	e.wantThereAndBack(whole)
	if p, err := e.open("two").Get(t.Context(), alice, "acme"); err != nil || string(p.Data) != "a picture of alice" {
		t.Errorf("Get in the second store = %q, %v", p.Data, err)
	}
	if _, err := e.open("three").Get(t.Context(), alice, "acme"); !errors.Is(err, storage.ErrNoPicture) {
		t.Errorf("Get in the third store = %v, want %v", err, storage.ErrNoPicture)
	}
	e.want(ExitOK, "user bob removed", "user", "remove", "bob", "--data=three", issuer)
	e.want(ExitOK, "moved", "issuer", "move", "https://id.example", "https://new.example", "--data=three")
	e.want(ExitOK, "organisation acme removed with 1 user", "org", "remove", "acme", "--data=three")
}

// wantThereAndBack moves what a backup holds to the embedded engine, and back again.
func (e *elsewhere) wantThereAndBack(whole []byte) {
	e.t.Helper()
	dir := "--data=" + filepath.Join(e.t.TempDir(), "directory")
	if out, stderr, code := e.run(whole, "restore", "-", dir); code != ExitOK {
		e.t.Errorf("restore into a directory = exit code %d, %q, %q", code, out, stderr)
	}
	e.want(ExitOK, "2 pictures, 2 users and 0 receipts checked: clean", "fsck", dir)
	if back, stderr, code := e.run(nil, "backup", "-", dir); code != ExitOK {
		e.t.Errorf("backup of the directory = exit code %d, %q", code, stderr)
	} else if out, stderr, code := e.run(back, "restore", "-", "--data=four"); code != ExitOK || !strings.Contains(string(out), "2 users, 2 pictures") {
		e.t.Errorf("restore of what came back = exit code %d, %q, %q", code, out, stderr)
	}
}

// A check of any engine ends with an exit code of its own where it finds something, and repairs it when it is told to.
func TestFsckOfAnotherEngine(t *testing.T) {
	e := &elsewhere{t: t, stores: memory.New("removes nothing")}
	s := e.open("one")
	key := storage.UserKey{Issuer: "https://id.example", ID: "alice"}
	up := storage.Upload{User: key, Organization: "acme", Register: true, Picture: storage.Picture{Format: storage.PNG, Data: []byte("x")}, By: admin.CommandLine}
	if _, err := s.Put(t.Context(), up); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Remove(t.Context(), storage.Removal{User: key, Organization: "acme"}); err != nil {
		t.Fatal(err)
	}
	e.want(ExitFailed, `{"finding":"orphaned-bytes","bytes":1,`, "fsck", "--json", "--data=one")
	e.want(ExitFailed, "1 found, 1 of them repaired", "fsck", "--repair", "--data=one")
	e.want(ExitOK, "clean", "fsck", "--data=one")
}

// refusing is a place that cannot be opened.
type refusing struct {
	storage.Place
	err error
}

func (p refusing) Open(context.Context, storage.OpenOptions) (storage.Engine, error) {
	return nil, p.err
}

// The exit code tells what is wrong with a store of any engine.
func TestExitCodesOfAnotherEngine(t *testing.T) {
	for err, code := range map[error]int{storage.ErrInUse: ExitInUse, storage.ErrDamaged: ExitData, storage.ErrForeign: ExitData,
		storage.ErrLink: ExitData, storage.ErrNewerSchema: ExitData, storage.ErrUnavailable: ExitFailed} {
		e := &elsewhere{t: t, stores: memory.New(""), wrap: func(p storage.Place) storage.Place { return refusing{p, err} }}
		e.want(code, err.Error(), "org", "add", "acme", "--data=one")
	}
}
