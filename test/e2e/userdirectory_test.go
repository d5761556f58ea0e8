package e2e

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/server/picture"
)

// Users who are unknown here are looked up at the provider where that says what callers may do, and elsewhere if the settings say so.
func TestUserDirectoryBySettings(t *testing.T) {
	p := newProvider(t, nil)
	manager := p.Tokens["TOKEN_MANAGER"]
	for flags, want := range map[string]int{
		"--authz-source=zitadel":                            http.StatusOK,
		"--authz-source=zitadel --users-directory=none":     http.StatusNotFound,
		"--authz-source=claims":                             http.StatusNotFound,
		"--authz-source=claims --users-directory=zitadel":   http.StatusOK,
		"--users-directory=zitadel --authz-allow-pat=false": http.StatusOK,
	} {
		dir := filepath.Join(t.TempDir(), "data")
		srv, url := startServe(t, p.Settings(), dir, strings.Fields(flags+" --organisations="+devidp.OrgAcme)...)
		before := p.Requests("/management/v1/users/" + devidp.UserBob)
		status, body := call(t, http.MethodDelete, url+"/management/v1/users/"+devidp.UserBob+"/avatar", manager)
		asked := p.Requests("/management/v1/users/"+devidp.UserBob) - before
		if status != want || asked != 0 != (want == http.StatusOK) {
			t.Errorf("%s: %d %s, and %d questions, want %d", flags, status, body, asked, want)
		}
		caller := newCaller(t, url)
		got := caller.upload(t, url+"/management/v1/users/"+devidp.UserErin+"/avatar", manager, picture.Sample(2, 900))
		if got.Status != want {
			t.Errorf("%s: an upload: %d %s, want %d", flags, got.Status, got.Raw, want)
		}
		caller.Close()
		srv.stop()
		if strings.Contains(srv.out.String(), manager) {
			t.Errorf("%s: the token is in the log", flags)
		}
	}
}

// A provider that hangs, breaks off or floods is 503, and nobody is registered by that.
func TestUserDirectoryOutOfOrder(t *testing.T) {
	p := newProvider(t, nil)
	dir := filepath.Join(t.TempDir(), "data")
	srv, url := startServe(t, p.Settings(), dir, "--authz-source=zitadel", "--introspection-timeout=300ms")
	call(t, http.MethodDelete, url+"/management/v1/users/x/avatar", p.Tokens["TOKEN_MANAGER"]) // so that permissions are known
	for name, fault := range map[string]http.HandlerFunc{
		"hangs":      func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"floods":     p.Flood,
		"sends away": p.Redirect(http.StatusTemporaryRedirect),
	} {
		user := "user-" + strings.ReplaceAll(name, " ", "-") // who has not failed before
		p.Misbehave("/management/v1/users/"+user, fault)
		status, body := call(t, http.MethodDelete, url+"/management/v1/users/"+user+"/avatar", p.Tokens["TOKEN_MANAGER"])
		if status != http.StatusServiceUnavailable {
			t.Errorf("%s: %d %s, want 503", name, status, body)
		}
	}
	srv.stop()
	if strings.Contains(srv.out.String(), p.Tokens["TOKEN_MANAGER"]) {
		t.Error("the token is in the log")
	}
	wantOutput(t, "", "user", "list", "--data", dir)
}
