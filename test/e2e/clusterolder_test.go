package e2e

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/internal/cli"
	"example.org/avatard/server/picture"
	"example.org/avatard/storage/cluster/clustertest"
	"example.org/avatard/test/client"
)

// olderDatabase copies the database of a store, as a point-in-time restore would make it, and returns the settings of the copy beside the
// same bucket. Nobody may have it open.
func olderDatabase(t *testing.T, servers *clustertest.Servers, environ []string, name string) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), servers.DatabaseAddress("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "CREATE DATABASE older TEMPLATE "+name); err != nil {
		t.Fatal(err)
	}
	var older []string
	for _, variable := range environ {
		if strings.HasPrefix(variable, "AVATARD_DATABASE_FILE=") {
			variable = "AVATARD_DATABASE_FILE=" + writeFile(t, "address", servers.DatabaseAddress("older"))
		}
		older = append(older, variable)
	}
	return older
}

// A database of an earlier time brings no picture back: what was deleted since is on record, and its object is gone. A check says so, and
// puts the record right.
func TestDatabaseOfAnEarlierTime(t *testing.T) {
	servers := clustertest.StartFor(t)
	environ := clusterSettings(t, servers)
	p := newProvider(t, nil)
	token := client.Bearer(p.Tokens["TOKEN_MANAGER"])
	upload := func(url, user string, seed uint64) {
		t.Helper()
		if up := newCaller(t, url).Upload(t.Context(), token, user, picture.Sample(seed, 3000)); !up.Acknowledged() {
			t.Fatalf("upload for %s: %v", user, up)
		}
	}
	portraits := "/assets/v1/" + devidp.OrgAcme + "/users/"
	r := startReplicas(t, p, 1, environ)
	for _, user := range []string{"alice", "bob", "carol"} {
		r.command(nil, cli.ExitOK, "added", "user", "add", user, "--org="+devidp.OrgAcme, "--issuer="+p.Issuer)
	}
	upload(r.urls[0], "alice", 1)
	upload(r.urls[0], "carol", 2)
	r.running[0].stop()
	older := olderDatabase(t, servers, environ, "store1")

	r = startReplicas(t, p, 1, environ)
	if got := newCaller(t, r.urls[0]).remove(t, client.REST, p.Tokens["TOKEN_MANAGER"], "alice"); !got.Acknowledged() {
		t.Fatalf("delete: %v", got)
	}
	upload(r.urls[0], "bob", 3)
	r.running[0].stop()

	found := string(commandOn(t, older, nil, cli.ExitFailed, "2 found", "fsck"))
	for _, want := range []string{"picture-missing, user \"alice\"", "orphaned-bytes"} {
		if !strings.Contains(found, want) {
			t.Errorf("fsck printed %q, want %q", found, want)
		}
	}
	r = startReplicas(t, p, 1, older)
	for user, status := range map[string]int{"alice": 404, "bob": 404, "carol": 200} {
		wantStatus(t, status, "GET", r.urls[0]+portraits+user+"/avatar", "")
	}
	r.command(nil, cli.ExitFailed, "2 of them repaired", "fsck", "--repair")
	r.command(nil, cli.ExitOK, "clean", "fsck")
	for user, status := range map[string]int{"alice": 404, "bob": 404, "carol": 200} {
		wantStatus(t, status, "GET", r.urls[0]+portraits+user+"/avatar", "")
	}
}
