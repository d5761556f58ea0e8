package e2e

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/cli"
	"example.org/avatard/storage"
	"example.org/avatard/storage/faulty"
)

// A mistyped organisation and the users registered in it leave nothing behind, beside a server and without one.
func TestTyposAreRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	data, issuer := "--data="+dir, "--issuer=https://id.example"
	typo := func(args ...string) {
		t.Helper()
		wantOutput(t, "user bob added\n", append([]string{"user", "add", "bob", "--org", "acmee", "--new-org", data}, args...)...)
		wantOutput(t, "user bob removed; there was no picture\n", "user", "remove", "bob", data)
		wantOutput(t, "organisation acmee removed; there were no users\n", "org", "remove", "acmee", data)
		wantOutput(t, "", "org", "list", data)
		wantFailure(t, "organisation acmee is not registered (there is none)", "org", "remove", "acmee", data)
		wantFailure(t, "acmee is not registered", append([]string{"user", "add", "bob", "--org", "acmee", data}, args...)...)
	}
	typo(issuer)
	store, stop := startAdmin(t, dir)
	typo()
	stop()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// An organisation goes with its users and their pictures, and nobody else's.
func TestOrgRemove(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	data := "--data=" + dir
	fill := func(store storage.Store) {
		putFor(t, store, "eve", 100)
		for i := range storage.MaxPage { // with eve more than a page
			key := storage.UserKey{Issuer: "https://id.example", ID: fmt.Sprintf("user%03d", i)}
			if _, _, err := store.AddUser(t.Context(), key, "acme", admin.CommandLine); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := store.AddUser(t.Context(), storage.UserKey{Issuer: "https://id.example", ID: "zoe"}, "globex", admin.CommandLine); err != nil {
			t.Fatal(err)
		}
	}
	store, stop := startAdmin(t, dir)
	fill(store)
	stdout, stderr, code := runAll(t, "org", "remove", "acme", data)
	if code != cli.ExitOK || !strings.HasSuffix(stdout, "organisation acme removed with 201 users; 1 picture erased\n") || !strings.Contains(stderr, "removing users: 201 of 201 (100 %)") {
		t.Errorf("org remove = %d, %q, %q", code, stdout, stderr)
	}
	key := storage.UserKey{Issuer: "https://id.example", ID: "eve"}
	if _, err := store.Get(t.Context(), key, "acme"); !errors.Is(err, storage.ErrUserNotFound) {
		t.Errorf("the picture of somebody removed: %v, want %v", err, storage.ErrUserNotFound)
	}
	fill(store)
	stop()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code = runAll(t, "org", "remove", "acme", "--json", data)
	if code != cli.ExitOK || stdout != `{"organisation":"acme","users":201,"pictures":1}`+"\n" || stderr != "" {
		t.Errorf("org remove --json = %d, %q, %q", code, stdout, stderr)
	}
	users, err := runCommand(t, "user", "list", data)
	if err != nil || !strings.HasPrefix(users, "zoe  ") || strings.Count(users, "\n") != 1 {
		t.Errorf("left are %q, %v, want zoe", users, err)
	}
	orgs, err := runCommand(t, "org", "list", data)
	if err != nil || !strings.HasPrefix(orgs, "globex  ") || strings.Count(orgs, "\n") != 1 {
		t.Errorf("left are %q, %v, want globex", orgs, err)
	}
}

// What each start registers again cannot be removed: the command knows its configuration, a server its own.
func TestOrgRemoveOfTheConfiguration(t *testing.T) {
	const refusal = "each start of the server registers it again"
	p := newProvider(t, nil)
	dir := filepath.Join(t.TempDir(), "data")
	registerWithPicture(t, dir, p.Issuer, devidp.UserAlice)
	for _, setting := range []string{"organisations: [other, " + devidp.OrgAcme + "]\n", "default_organisation: " + devidp.OrgAcme + "\n"} {
		wantFailure(t, refusal, "org", "remove", devidp.OrgAcme, "--data", dir, "--config", writeFile(t, "c.yaml", setting))
	}
	srv, _ := startServe(t, p.Settings(), dir, "--organisations", devidp.OrgAcme)
	wantFailure(t, refusal, "org", "remove", devidp.OrgAcme, "--data", dir)
	users, err := runCommand(t, "user", "list", "--data", dir)
	if err != nil || !strings.Contains(users, "image/png") {
		t.Errorf("user list prints %q, %v, want alice with her picture", users, err)
	}
	srv.stop()
}

// A user who is moved or removed by another call meanwhile is left as that call left them.
func TestOrgRemoveBesideOtherChanges(t *testing.T) {
	dir := t.TempDir()
	store := openStore(t, dir)
	for _, user := range []string{"ann", "bob", "eve"} {
		putFor(t, store, user, 10)
	}
	key := func(user string) storage.UserKey { return storage.UserKey{Issuer: "https://id.example", ID: user} }
	if _, err := store.AddOrganization(t.Context(), "globex", admin.CommandLine); err != nil {
		t.Fatal(err)
	}
	changing := faulty.New(store)
	changing.Set(faulty.Fault{Kind: faulty.Slow, Methods: []faulty.Method{faulty.RemoveUser}, Wait: func(context.Context) {
		if _, _, err := store.MoveUser(t.Context(), key("bob"), "globex", admin.CommandLine); err != nil {
			t.Error(err)
		}
		if _, err := store.RemoveUser(t.Context(), storage.Removal{User: key("eve"), Organization: "acme", By: admin.CommandLine}); err != nil {
			t.Error(err)
		}
	}})
	stop, err := admin.Serve(dir, &admin.Server{Store: faulty.Engine{Store: changing, Keeper: store}, Issuer: "https://id.example", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	wantOutput(t, "organisation acme removed with 1 user; 1 picture erased\n", "org", "remove", "acme", "--data", dir)
	if p, err := store.Get(t.Context(), key("bob"), "globex"); err != nil || len(p.Data) == 0 {
		t.Errorf("the user who was moved has %d bytes, %v, want the picture", len(p.Data), err)
	}
}
