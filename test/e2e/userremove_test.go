package e2e

import (
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/internal/admin"
	"example.org/avatard/server/picture"
	"example.org/avatard/storage"
	"example.org/avatard/storage/faulty"
)

// A user who is removed is gone with the picture, beside a server and without one. Other users stay.
func TestUserRemove(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	data := "--data=" + dir
	wantFailure(t, "there is no database in ", "user", "remove", "bob", data)
	store, stop := startAdmin(t, dir)
	stopped := false
	for _, when := range []string{"beside a server", "without a server"} {
		if stopped {
			store = openStore(t, dir)
		}
		for _, user := range []string{"eve", "kim"} {
			readmit(t, store, "https://id.example", user, "acme")
			putFor(t, store, user, 100)
		}
		removeFor(t, store, "kim")
		for _, issuer := range []string{"https://id.example", "https://id.exmaple"} {
			for _, user := range []string{"zoe", "bob"} {
				readmit(t, store, issuer, user, "globex")
			}
		}
		if stopped {
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
		}
		wantFailure(t, `user nobody: not registered; "avatard user list" lists who is`, "user", "remove", "nobody", data)
		wantFailure(t, "belongs to organisation acme, not globex; nothing was removed", "user", "remove", "eve", "--org", "globex", data)
		wantFailure(t, "of the issuers https://id.example, https://id.exmaple; --issuer says", "user", "remove", "bob", data)
		wantFailure(t, "not registered with the issuer https://nobody.example", "user", "remove", "bob", data, "--issuer", "https://nobody.example")
		wantOutput(t, "user bob removed; there was no picture\n", "user", "remove", "bob", data, "--issuer", "https://id.exmaple")
		wantOutput(t, "user bob removed; there was no picture\n", "user", "remove", "bob", data)
		out, err := runCommand(t, "user", "remove", "eve", "--org", "acme", data)
		if err != nil || !strings.HasPrefix(out, "user eve removed; the picture is erased, receipt ") {
			t.Errorf("%s: user remove eve prints %q, %v", when, out, err)
		}
		wantFailure(t, "user eve is not registered", "user", "show", "eve", data)
		wantFailure(t, "user eve: not registered", "user", "remove", "eve", data, "--dry-run")
		wantFailure(t, "user eve: not registered", "user", "remove", "eve", data, "--org", "globex")
		already := strings.Replace(out, "removed; the picture is erased, receipt", "has ended already; the last receipt is", 1)
		wantOutput(t, already, "user", "remove", "eve", data, "--issuer", "https://id.example")
		wantOutput(t, already, "user", "remove", "eve", data)
		out, err = runCommand(t, "user", "remove", "kim", data)
		if err != nil || !strings.HasPrefix(out, "user kim removed; there was no picture any more, the last receipt is ") {
			t.Errorf("%s: user remove kim prints %q, %v", when, out, err)
		}
		out, err = runCommand(t, "user", "remove", "zoe", "--json", data, "--issuer", "https://id.example")
		var removed admin.RemovedUser
		if err != nil || json.Unmarshal([]byte(out), &removed) != nil || removed != (admin.RemovedUser{User: "zoe", Issuer: "https://id.example", Organization: "globex"}) {
			t.Errorf("%s: user remove --json prints %q, %v", when, out, err)
		}
		wantOutput(t, "user zoe removed; there was no picture\n", "user", "remove", "zoe", data) // of the issuer that is left
		if !stopped {
			stop()
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			stopped = true
		}
	}
}

// readmit registers a user, whether or not they have ended.
func readmit(t *testing.T, store storage.Store, issuer, user, org string) {
	t.Helper()
	by := admin.CommandLine
	by.Readmits = true
	if _, _, err := store.AddUser(t.Context(), storage.UserKey{Issuer: issuer, ID: user}, org, by); err != nil {
		t.Fatal(err)
	}
}

// Callers are told that a removed user is unknown and has no picture, and that user cannot upload, until an administrator adds them again.
func TestUserRemoveBesideCalls(t *testing.T) {
	p := newProvider(t, nil)
	dir := filepath.Join(t.TempDir(), "data")
	registerWithPicture(t, dir, p.Issuer, devidp.UserAlice, devidp.UserBob)
	srv, url := startServe(t, p.Settings(), dir)
	mine := url + "/assets/v1/users/me/avatar"
	wantStatus(t, http.StatusOK, "GET", mine, p.Tokens["TOKEN_ALICE"])
	out, err := runCommand(t, "user", "remove", devidp.UserAlice, "--data", dir)
	if err != nil || !strings.Contains(out, "the picture is erased, receipt ") {
		t.Errorf("user remove prints %q, %v", out, err)
	}
	wantStatus(t, http.StatusNotFound, "GET", mine, p.Tokens["TOKEN_ALICE"])
	wantStatus(t, http.StatusNotFound, "DELETE", url+"/auth/v1/users/me/avatar", p.Tokens["TOKEN_ALICE"])
	wantStatus(t, http.StatusNotFound, "DELETE", url+"/management/v1/users/"+devidp.UserAlice+"/avatar", p.Tokens["TOKEN_MANAGER"])
	wantStatus(t, http.StatusOK, "DELETE", url+"/management/v1/users/"+devidp.UserBob+"/avatar", p.Tokens["TOKEN_MANAGER"])
	caller := newCaller(t, url)
	if got := caller.upload(t, mine, p.Tokens["TOKEN_ALICE"], picture.Sample(2, 3000)); got.Status/100 != 4 {
		t.Errorf("the upload of somebody who has ended = %d, want a refusal", got.Status)
	}
	wantOutput(t, "user "+devidp.UserAlice+" added\n", "user", "add", devidp.UserAlice, "--org", devidp.OrgAcme, "--data", dir)
	wantStatus(t, http.StatusNotFound, "GET", mine, p.Tokens["TOKEN_ALICE"])
	if got := caller.upload(t, mine, p.Tokens["TOKEN_ALICE"], picture.Sample(2, 3000)); got.Status != http.StatusOK {
		t.Errorf("the upload of somebody who is back = %d, want 200", got.Status)
	}
	wantStatus(t, http.StatusOK, "GET", mine, p.Tokens["TOKEN_ALICE"])
	out, err = runCommand(t, "user", "show", devidp.UserAlice, "--data", dir)
	if err != nil || strings.Count(out, "\n") != 1 {
		t.Errorf("user show prints %q, %v, want the user who is back", out, err)
	}
	srv.stop() // which writes the rest of the log
	if log := srv.out.String(); !strings.Contains(log, "path=/erasures/user") || !strings.Contains(log, "user="+devidp.UserAlice+" changed=true") {
		t.Errorf("the log does not tell of the removal:\n%s", log)
	}
}

// What could not be finished is a failure that says how to go on, and going on with it ends it.
func TestUserRemoveUnfinished(t *testing.T) {
	store := openStore(t, t.TempDir())
	putFor(t, store, "eve", 100)
	failing := faulty.Engine{Store: faulty.Always(store, faulty.Fault{Methods: []faulty.Method{faulty.EraseUser}}), Keeper: store}
	_, err := admin.RemoveUser(t.Context(), failing, "", admin.UserRemoval{User: "eve"})
	if !errors.Is(err, storage.ErrUnavailable) || !strings.Contains(err.Error(), "the same command again goes on") {
		t.Errorf("RemoveUser = %v, want %v and how to go on", err, storage.ErrUnavailable)
	}
	if reply, err := admin.RemoveUser(t.Context(), store, "", admin.UserRemoval{User: "eve"}); err != nil || reply.Removed == nil || !reply.Removed.HadPicture {
		t.Errorf("again = %+v, %v", reply, err)
	}
}
