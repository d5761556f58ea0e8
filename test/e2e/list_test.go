package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/internal/admin"
	"example.org/avatard/storage"
)

// What somebody mistypes is refused, and the message names what there is; beside a server and without one.
func TestTyposInUserAdd(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	data, issuer := "--data="+dir, "--issuer=https://id.example"
	wantFailure(t, "acmee is not registered (there is none); --new-org", "user", "add", "alice", "--org", "acmee", data, issuer)
	wantOutput(t, "user alice added\n", "user", "add", "alice", "--org", "acme", "--new-org", data, issuer)
	wantFailure(t, "acmee is not registered (there is acme); --new-org", "user", "add", "bob", "--org", "acmee", data, issuer)
	for _, command := range []string{"add", "move"} {
		wantFailure(t, "has the issuer https://id.exmaple (there is https://id.example)", "user", command, "alice", "--org", "acme", data, "--issuer=https://id.exmaple")
	}
	wantOutput(t, "user eve added\n", "user", "add", "eve", "--org", "acme", data, "--issuer=https://new.example", "--new-issuer")
	wantOutput(t, "user eve already there\n", "user", "add", "eve", "--org", "acme", data, "--issuer=https://new.example")

	store, stop := startAdmin(t, dir)
	wantFailure(t, "acmee is not registered (there is acme); --new-org", "user", "add", "bob", "--org", "acmee", data)
	wantOutput(t, "user bob added\n", "user", "add", "bob", "--org", "acme", data)
	for i := range 5 {
		wantOutput(t, fmt.Sprintf("organisation org%d added\n", i), "org", "add", fmt.Sprint("org", i), data)
	}
	wantFailure(t, "(there are acme, org0, org1, org2, org3 and more)", "user", "add", "carol", "--org", "acmee", data)
	wantOutput(t, "user carol added\n", "user", "add", "carol", "--org", "acmee", "--new-org", data)
	stop()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// Lists say the same beside a server and without one, over several pages, for people and for programs.
func TestLists(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	data := "--data=" + dir
	for _, command := range [][]string{{"user", "list"}, {"user", "move", "zoe", "--org", "acme", "--issuer=https://id.example"}, {"issuer", "move", "https://a.example", "https://b.example"}} {
		wantFailure(t, "there is no database in ", append(command, data)...)
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v makes the directory that was mistyped: %v", command, err)
		}
	}
	store, stop := startAdmin(t, dir)
	for i := range storage.MaxPage + 1 {
		key := storage.UserKey{Issuer: "https://id.example", ID: fmt.Sprintf("user%03d", i)}
		if _, _, err := store.AddUser(t.Context(), key, []string{"acme", "globex"}[i%2], admin.CommandLine); err != nil {
			t.Fatal(err)
		}
	}
	picture := putFor(t, store, "zoe", 100)
	if _, _, err := store.AddUser(t.Context(), storage.UserKey{Issuer: "https://other.example", ID: "zoe"}, "globex", admin.CommandLine); err != nil {
		t.Fatal(err)
	}
	wantLists(t, "beside a server", data, picture.Generation)
	stop()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	wantLists(t, "without a server", data, picture.Generation)
}

// wantLists looks at the lists of what TestLists registers, where one zoe has a picture of a generation.
func wantLists(t *testing.T, when, data, generation string) {
	t.Helper()
	all, err := runCommand(t, "user", "list", data)
	if n := strings.Count(all, "\n"); err != nil || n != storage.MaxPage+3 {
		t.Errorf("%s: user list has %d lines, %v, want %d", when, n, err, storage.MaxPage+3)
	}
	some, err := runCommand(t, "user", "list", "--org", "globex", data)
	if n := strings.Count(some, "\n"); err != nil || n != storage.MaxPage/2+1 || strings.Contains(some, "organisation acme") {
		t.Errorf("%s: user list --org globex has %d lines, %v, want %d", when, n, err, storage.MaxPage/2+1)
	}
	two, err := runCommand(t, "user", "show", "zoe", data)
	lines := strings.Split(strings.TrimSpace(two), "\n")
	if err != nil || len(lines) != 2 || !strings.Contains(two, "zoe  organisation acme  issuer https://id.example  changed ") ||
		!strings.Contains(two, "image/png of 300 bytes\n") || !strings.Contains(two, "no picture\n") {
		t.Errorf("%s: user show zoe prints\n%s%v", when, two, err)
	}
	text, err := runCommand(t, "user", "show", "zoe", "--json", data)
	var shown admin.User
	if err != nil {
		t.Errorf("%s: user show --json: %v", when, err)
	}
	if err := json.Unmarshal([]byte(strings.SplitAfter(text, "\n")[0]), &shown); err != nil || shown.Picture == nil || shown.Picture.ID != generation ||
		shown.User != "zoe" || shown.Organization != "acme" || shown.Sequence != 2 {
		t.Errorf("%s: user show --json prints\n%s%v", when, text, err)
	}
	orgs, err := runCommand(t, "org", "list", data)
	if err != nil || !strings.HasPrefix(orgs, "acme  created ") || strings.Count(orgs, "\n") != 2 {
		t.Errorf("%s: org list prints %q, %v", when, orgs, err)
	}
	orgs, err = runCommand(t, "org", "list", "--json", data)
	if err != nil || !strings.HasPrefix(orgs, `{"organisation":"acme","created":"`) {
		t.Errorf("%s: org list --json prints %q, %v", when, orgs, err)
	}
	wantFailure(t, "user nobody is not registered", "user", "show", "nobody", data)
	wantFailure(t, "organisation globexx is not registered (there are acme, globex)", "user", "list", "--org", "globexx", data)
}
