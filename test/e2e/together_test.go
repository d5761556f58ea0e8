package e2e

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ncruces/go-sqlite3"
	"google.golang.org/protobuf/testing/protocmp"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/test/client"
)

// Sixteen clients that delete the same picture at once, in all forms, are told the same: the one change that there was.
func TestSixteenDeleteAtOnce(t *testing.T) {
	const clients = 16
	p := newProvider(t, nil)
	dir := filepath.Join(t.TempDir(), "data")
	registerWithPicture(t, dir, p.Issuer, devidp.UserAlice)
	srv, url := startServe(t, p.Settings(), dir, "--introspection-timeout", "30s")
	caller := newCaller(t, url)
	portrait := url + "/assets/v1/" + devidp.OrgAcme + "/users/" + devidp.UserAlice + "/avatar"
	wantStatus(t, 200, "GET", portrait, "")

	token, forms := p.mint(t, managerID), client.Forms()
	begin := make(chan struct{})
	results := make(chan answer, clients)
	for i := range clients {
		go func() {
			<-begin
			results <- caller.remove(t, forms[i%len(forms)], token, devidp.UserAlice)
		}()
	}
	close(begin)
	first := <-results
	if first.Details.GetSequence() != 3 { // registered, given a picture, deleted
		t.Errorf("details are %v, want sequence 3", first.Details)
	}
	for range clients - 1 {
		got := <-results
		if got.Code != success {
			t.Errorf("code %v: %s", got.Code, got.Message)
		}
		if diff := cmp.Diff(first.Details, got.Details, protocmp.Transform()); diff != "" {
			t.Errorf("two answers (-one +another):\n%s", diff)
		}
		if one, another := first.Header.Get("X-Avatard-Receipt"), got.Header.Get("X-Avatard-Receipt"); one == "" || one != another {
			t.Errorf("receipts %q and %q, want the same one", one, another)
		}
	}
	wantStatus(t, 404, "GET", portrait, "")
	caller.Close()
	srv.stop()

	db, err := sqlite3.OpenFlags(filepath.Join(dir, "avatard.db"), sqlite3.OPEN_READONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for what, query := range map[string]string{
		"receipts":             "SELECT count(*) FROM receipt",
		"removals on record":   "SELECT count(*) FROM audit WHERE action = 'remove'",
		"generations not gone": "SELECT 1 + count(*) FROM generation WHERE state <> 3",
	} {
		stmt, _, err := db.Prepare(query)
		if err != nil {
			t.Fatal(err)
		}
		if !stmt.Step() || stmt.ColumnInt(0) != 1 {
			t.Errorf("%s: %q gives %d, want 1", what, query, stmt.ColumnInt(0))
		}
		stmt.Close()
	}
}
