package e2e

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"example.org/avatard/internal/admin"
	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
)

// command runs a command to its end and returns what it printed.
func runCommand(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	var out bytes.Buffer
	err = run(t.Context(), args, nil, &out, io.Discard)
	return out.String(), err
}

func wantOutput(t *testing.T, want string, args ...string) {
	t.Helper()
	if got, err := runCommand(t, args...); err != nil || got != want {
		t.Errorf("%q printed %q, %v, want %q", args, got, err, want)
	}
}

func wantFailure(t *testing.T, want string, args ...string) {
	t.Helper()
	if got, err := runCommand(t, args...); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%q printed %q, %v, want an error with %q", args, got, err, want)
	}
}

func openStore(t *testing.T, dir string) storage.Engine {
	t.Helper()
	store, err := embedded.Open(t.Context(), embedded.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// startAdmin serves the socket of a store that it opens in dir.
func startAdmin(t *testing.T, dir string) (store storage.Engine, stop func()) {
	t.Helper()
	store = openStore(t, dir)
	stop, err := admin.Serve(dir, &admin.Server{Store: store, Issuer: "https://id.example", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return store, stop
}

// The commands say the same whether a server runs or not, and each finds what the other did.
func TestRegisterWithAndWithoutServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	data, issuer := "--data="+dir, "--issuer=https://id.example"
	wantOutput(t, "organisation acme added\n", "org", "add", "acme", data)
	wantOutput(t, "organisation acme already there\n", "org", "add", data, "acme")
	wantOutput(t, "user alice added\n", "user", "add", "alice", "--org", "globex", "--new-org", data, issuer)

	store, stop := startAdmin(t, dir)
	wantOutput(t, "organisation globex already there\n", "org", "add", "globex", data) // registered with alice
	wantOutput(t, "organisation initech added\n", "org", "add", "initech", data)
	wantOutput(t, "user alice already there\n", "user", "add", "alice", "--org=globex", data)
	wantOutput(t, "user bob added\n", "user", "add", "bob", "--org=globex", data)
	wantOutput(t, "user -x added\n", "user", "add", "--org=globex", data, "--", "-x")
	wantFailure(t, "another organisation", "user", "add", "bob", "--org", "acme", data)
	wantFailure(t, "issuer", "user", "add", "carol", "--org", "acme", data, "--issuer", "https://other.example")
	if ok, err := store.HasOrganization(t.Context(), "initech"); !ok || err != nil {
		t.Errorf("HasOrganization(initech) = %v, %v, want true: the running store must know at once", ok, err)
	}
	stop()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}

	if _, err := os.Lstat(filepath.Join(dir, admin.SocketName)); err == nil {
		t.Error("the socket is still there after the server has stopped")
	}
	wantOutput(t, "user bob already there\n", "user", "add", "bob", "--org=globex", data, issuer)
	wantFailure(t, "another organisation", "user", "add", "bob", "--org", "acme", data, issuer)
	wantFailure(t, "issuer: is not set", "user", "add", "bob", "--org", "acme", data)
}

// The same for moving somebody: the picture goes along, nothing else changes, and what cannot be is said.
func TestMoveWithAndWithoutServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	data, issuer := "--data="+dir, "--issuer=https://id.example"
	alice := storage.UserKey{Issuer: "https://id.example", ID: "alice"}
	wantOutput(t, "user alice added\n", "user", "add", "alice", "--org", "acme", "--new-org", data, issuer)
	wantOutput(t, "organisation globex added\n", "org", "add", "globex", data)
	wantFailure(t, "not registered", "user", "move", "alice", "--org", "nowhere", data, issuer)
	wantFailure(t, "user is not registered", "user", "move", "bob", "--org", "globex", data, issuer)
	wantFailure(t, "issuer: is not set", "user", "move", "alice", "--org", "globex", data)
	wantFailure(t, "missing flags: --org", "user", "move", "alice", data, issuer)
	wantOutput(t, "user alice moved\n", "user", "move", "alice", "--org", "globex", data, issuer)
	wantOutput(t, "user alice already there\n", "user", "move", "alice", "--org", "globex", data, issuer)

	store, stop := startAdmin(t, dir)
	put, err := store.Put(t.Context(), storage.Upload{User: alice, Organization: "globex", Picture: storage.Picture{Format: storage.PNG, Data: []byte("picture")}})
	if err != nil {
		t.Fatal(err)
	}
	wantFailure(t, "\"avatard org add\"", "user", "move", "alice", "--org", "nowhere", data)
	wantFailure(t, "user is not registered", "user", "move", "bob", "--org", "globex", data)
	wantFailure(t, "issuer", "user", "move", "alice", "--org", "acme", data, "--issuer", "https://other.example")
	wantOutput(t, "user alice moved\n", "user", "move", "alice", "--org", "acme", data)
	wantOutput(t, "user alice already there\n", "user", "move", "alice", "--org", "acme", data)
	if p, err := store.Get(t.Context(), alice, "acme"); err != nil || string(p.Data) != "picture" {
		t.Errorf("after the move: %q, %v, want the picture", p.Data, err)
	}
	if _, err := store.Get(t.Context(), alice, "globex"); !errors.Is(err, storage.ErrOtherOrganization) {
		t.Errorf("in the organisation before: %v, want %v", err, storage.ErrOtherOrganization)
	}
	res, _, err := store.AddUser(t.Context(), alice, "acme", admin.CommandLine)
	if err != nil || res.Details.Sequence != put.Details.Sequence+1 || !res.Details.CreationDate.Equal(put.Details.CreationDate) {
		t.Errorf("record after the move = %+v, %v, want one change more than %+v", res, err, put)
	}
	stop()
}

// While somebody else holds the store and no server answers, nothing is changed behind their back.
func TestRegisterOnALockedStore(t *testing.T) {
	dir := t.TempDir()
	openStore(t, dir)
	_, err := runCommand(t, "org", "add", "acme", "--data", dir)
	if !errors.Is(err, storage.ErrInUse) {
		t.Errorf("org add = %v, want %v", err, storage.ErrInUse)
	}
}

func TestAdminSocketIsForItsOwner(t *testing.T) {
	dir := t.TempDir()
	_, stop := startAdmin(t, dir)
	defer stop()
	info, err := os.Lstat(filepath.Join(dir, admin.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode(); got.Perm() != 0o600 || got.Type() != os.ModeSocket {
		t.Errorf("mode of the socket is %v, want a socket with 0600", got)
	}
}

// A server that was killed leaves its socket file. Commands must not take it for a server, the next server must
// not stumble over it.
func TestStaleAdminSocket(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, admin.SocketName)
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	ln.Close()

	wantOutput(t, "organisation acme added\n", "org", "add", "acme", "--data", dir)
	_, stop := startAdmin(t, dir)
	defer stop()
	wantOutput(t, "organisation acme already there\n", "org", "add", "acme", "--data", dir)
}

// A server that is killed while it is asked resets the connection. The command goes on without it.
func TestAdminServerKilledWhileAsked(t *testing.T) {
	dir := t.TempDir()
	ln, err := net.Listen("unix", filepath.Join(dir, admin.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	go func() {
		conn, err := ln.Accept()
		ln.Close()
		if err == nil {
			conn.Close()
		}
	}()
	wantOutput(t, "organisation acme added\n", "org", "add", "acme", "--data", dir)
}

func TestAdminSocketInTheWay(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, admin.SocketName)
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := admin.Serve(dir, &admin.Server{Store: openStore(t, dir), Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Serve = %v, want an error that names %s", err, path)
	}
	if data, _ := os.ReadFile(path); string(data) != "precious" {
		t.Errorf("the file in the way now holds %q", data)
	}
}

// A socket address has room for about a hundred bytes; a data directory may have a longer name.
func TestAdminSocketInALongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("x", 100), strings.Repeat("y", 100))
	store := openStore(t, dir)
	stop, err := admin.Serve(dir, &admin.Server{Store: store, Logger: slog.New(slog.DiscardHandler)})
	if runtime.GOOS != "linux" {
		if err == nil || !strings.Contains(err.Error(), "shorter") {
			t.Errorf("Serve = %v, want advice to take a shorter path", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	wantOutput(t, "organisation acme added\n", "org", "add", "acme", "--data", dir)
	stop()
	if _, err := os.Lstat(filepath.Join(dir, admin.SocketName)); err == nil {
		t.Error("the socket is still there after the server has stopped")
	}
}
