//go:build unix

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/cli"
	"example.org/avatard/server/picture"
	"example.org/avatard/storage"
	"example.org/avatard/test/client"
)

// changeFile rewrites a file.
func changeFile(t *testing.T, path string, change func(data []byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Data that cannot be what the program wrote is refused with an exit code of its own, which tells supervisors that another
// start will not help. Nothing is made anew beside it.
func TestDamagedData(t *testing.T) {
	becomeProgram()
	const database, slab = "avatard.db", "pictures.slab"
	for _, tt := range []struct {
		title, file string
		change      func(t *testing.T, path string)
		say         string
	}{
		{"no database", database, func(t *testing.T, path string) { os.Remove(path) }, "avatard.db is missing or empty"},
		{"no slab", slab, func(t *testing.T, path string) { os.Remove(path) }, "pictures.slab is missing"},
		{"a database whose first page is lost", database, func(t *testing.T, path string) {
			changeFile(t, path, func(data []byte) []byte { clear(data[:4096]); return data })
		}, "avatard.db"},
		{"a slab whose first page is lost", slab, func(t *testing.T, path string) {
			changeFile(t, path, func(data []byte) []byte { clear(data[:4096]); return data })
		}, "first page of pictures.slab"},
		{"a database of another program", database, func(t *testing.T, path string) {
			os.Remove(path)
			conn, err := sqlite3.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.Exec("CREATE TABLE tune (name TEXT)"); err != nil {
				t.Fatal(err)
			}
		}, "not one of avatard"},
	} {
		t.Run(tt.title, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			registerWithPicture(t, dir, "https://id.example", devidp.UserAlice)
			tt.change(t, filepath.Join(dir, tt.file))
			before := dataFiles(t, dir)
			for _, args := range [][]string{serveArgs(t, dir), {"org", "add", "globex", "--data", dir}} {
				startProcess(t, nil, args...).wantRefusal(args[0], cli.ExitData, tt.say)
			}
			if after := dataFiles(t, dir); before != after {
				t.Errorf("files have changed:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}

// A page that went bad where start-up does not look: the server runs, whom it concerns is told to come back, /readyz says
// that something is wrong and the log what, and everybody else is served.
func TestDamageUnderAServer(t *testing.T) {
	becomeProgram()
	p := newProvider(t, nil)
	dir := filepath.Join(t.TempDir(), "data")
	data := registerWithPicture(t, dir, p.Issuer, devidp.UserAlice)
	store := openStore(t, dir)
	for i := range 400 {
		key := storage.UserKey{Issuer: p.Issuer, ID: fmt.Sprintf("victim-%03d", i)}
		if _, _, err := store.AddUser(t.Context(), key, devidp.OrgAcme, admin.CommandLine); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	changeFile(t, filepath.Join(dir, "avatard.db"), func(all []byte) []byte {
		changed := 0
		for page := range slices.Chunk(all, 4096) {
			const tableLeaf, indexLeaf = 0x0d, 0x0a // what lies above leads to everybody
			if at := bytes.Index(page, []byte("victim-25")); at >= 0 && (page[0] == tableLeaf || page[0] == indexLeaf) {
				page[at] = 'w'
				changed++
			}
		}
		if changed < 2 {
			t.Fatalf("%d pages were changed, want those of table and index", changed)
		}
		return all
	})
	srv := startProcess(t, nil, "serve", "--listen", "127.0.0.1:0", "--data", dir, "--issuer", p.Issuer, "--audience", p.Audience,
		"--client-id", p.Client.ID, "--client-secret", p.Client.Secret, "--introspection-timeout", "30s")
	caller := newCaller(t, srv.serving())
	wantStatus(t, 200, "GET", caller.URL+"/readyz", "")
	manager := p.mint(t, managerID)
	for _, user := range []string{"victim-250", "victim-255", "victim-259"} {
		for form, got := range caller.removeInAllForms(t, manager, user) {
			wantUnavailable(t, string(form)+", "+user, got, p, manager)
		}
		wantStatus(t, 503, "GET", caller.URL+"/assets/v1/"+devidp.OrgAcme+"/users/"+user+"/avatar", "")
		got := caller.upload(t, caller.URL+"/management/v1/users/"+user+"/avatar", manager, picture.Sample(1, 3000))
		wantUnavailable(t, "upload, "+user, got, p, manager)
	}
	wantStatus(t, 503, "GET", caller.URL+"/readyz", "")
	alice := caller.URL + "/assets/v1/" + devidp.OrgAcme + "/users/" + devidp.UserAlice + "/avatar"
	if status, body := call(t, "GET", alice, ""); status != 200 || body != string(data) {
		t.Errorf("reading another's picture = %d, %d bytes", status, len(body))
	}
	if got := caller.remove(t, client.REST, manager, devidp.UserAlice); got.Status != 200 {
		t.Errorf("deleting another's picture = %d %s", got.Status, got.Message)
	}
	wantStatus(t, 404, "GET", alice, "")
	for _, text := range []string{"level=ERROR msg=\"the metadata is damaged\"", "avatard.db", "restore the directory from a backup"} {
		srv.out.await(text)
	}
	srv.kill()
}
