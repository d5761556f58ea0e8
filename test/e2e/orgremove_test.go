package e2e

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/cli"
	"example.org/avatard/storage"
	"example.org/avatard/storage/faulty"
)

// A mistyped organisation and the users registered in it are gone, beside a server and without one, and come back when they are named again.
func TestTyposAreRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	data, issuer := "--data="+dir, "--issuer=https://id.example"
	typo := func(args ...string) {
		t.Helper()
		add := append([]string{"user", "add", "bob", "--org", "acmee", "--new-org", data}, args...)
		wantOutput(t, "user bob added\n", add...)
		wantOutput(t, "user bob removed; there was no picture\n", "user", "remove", "bob", data)
		wantOutput(t, "organisation acmee removed; there were no users\n", "org", "remove", "acmee", data)
		wantOutput(t, "", "org", "list", data)
		wantOutput(t, "organisation acmee removed; there were no users\n", "org", "remove", "acmee", data)
		wantFailure(t, "organisation acme is not registered (there is none)", "org", "remove", "acme", data)
		wantFailure(t, "organisation acmee has ended; \"avatard org add\" registers it again", add...)
	}
	typo(issuer)
	store, stop := startAdmin(t, dir)
	wantOutput(t, "organisation acmee added\n", "org", "add", "acmee", data)
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
	again := admin.CommandLine
	again.Readmits = true
	fill := func(store storage.Store) {
		_, err := store.AddOrganization(t.Context(), "acme", again)
		for i := range storage.MaxPage { // with eve more than a page
			key := storage.UserKey{Issuer: "https://id.example", ID: fmt.Sprintf("user%03d", i)}
			_, _, add := store.AddUser(t.Context(), key, "acme", again)
			err = errors.Join(err, add)
		}
		if _, _, add := store.AddUser(t.Context(), storage.UserKey{Issuer: "https://id.example", ID: "eve"}, "acme", again); err != nil || add != nil {
			t.Fatal(err, add)
		}
		putFor(t, store, "eve", 100)
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

// What the settings register cannot be removed: the command knows its configuration, a server its own.
func TestOrgRemoveOfTheConfiguration(t *testing.T) {
	const refusal = "the settings register it"
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

// A user who is moved or ended by another call meanwhile is left as that call left them.
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
	change := sync.OnceFunc(func() { // behind the list, and before any user is erased
		if _, _, err := store.MoveUser(t.Context(), key("bob"), "globex", admin.CommandLine); err != nil {
			t.Error(err)
		}
		if _, err := store.EraseUser(t.Context(), storage.Removal{User: key("eve"), Organization: "acme", By: admin.CommandLine}); err != nil {
			t.Error(err)
		}
	})
	changing.Set(faulty.Fault{Kind: faulty.Slow, Methods: []faulty.Method{faulty.EraseUser}, Times: -1, Wait: func(context.Context) { change() }})
	stop, err := admin.Serve(dir, &admin.Server{Store: faulty.Engine{Store: changing, Keeper: store}, Issuer: "https://id.example", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	wantOutput(t, "organisation acme removed with 2 users; 2 pictures erased\n", "org", "remove", "acme", "--data", dir)
	if p, err := store.Get(t.Context(), key("bob"), "globex"); err != nil || len(p.Data) == 0 {
		t.Errorf("the user who was moved has %d bytes, %v, want the picture", len(p.Data), err)
	}
}
