package e2e

import (
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"example.org/avatard/authz/authztest"
	"example.org/avatard/authz/devidp"
	"example.org/avatard/server/picture"
	"example.org/avatard/storage"
)

// With either source of permissions every seeded caller may do the same in every organisation, and is told the same; but
// for an organisation that only we know, which the provider calls unknown.
func TestSourcesOfPermissionsAgree(t *testing.T) {
	p := newProvider(t, nil)
	const onlyOurs = "69629023906488399"
	sources := map[string][]string{
		"claims":  {"--authz-instance-organisation", devidp.OrgAcme, "--authz-instance-roles", "IAM_OWNER=user.write"},
		"zitadel": {"--authz-source", "zitadel"},
	}
	answers := map[string]map[string]string{}
	for source, flags := range sources {
		dir := filepath.Join(t.TempDir(), "data")
		registerWithPicture(t, dir, p.Issuer, devidp.UserAlice, devidp.UserBob)
		flags = append(flags, "--organisations", strings.Join([]string{devidp.OrgAcme, devidp.OrgGlobex, devidp.OrgInitech, onlyOurs}, ","))
		srv, url := startServe(t, p.Settings(), dir, flags...)
		answers[source] = map[string]string{}
		for _, name := range slices.Sorted(maps.Keys(p.Tokens)) {
			for _, org := range []string{"", devidp.OrgAcme, devidp.OrgGlobex, devidp.OrgInitech, onlyOurs, "not-even-ours"} {
				status, body := call(t, http.MethodDelete, url+"/management/v1/users/"+devidp.UserBob+"/avatar", p.Tokens[name], "X-Zitadel-Orgid", org)
				if status == http.StatusOK {
					body = "removed" // with dates of its own
				}
				answers[source][name+" in "+org] = http.StatusText(status) + " " + body
			}
		}
		srv.stop()
		for name, token := range p.Tokens {
			if strings.Contains(srv.out.String(), token) {
				t.Errorf("%s: %s is in the log", source, name)
			}
		}
	}
	removed := 0
	for where, claims := range answers["claims"] {
		zitadel := answers["zitadel"][where]
		if strings.HasPrefix(claims, "OK ") {
			removed++
		}
		if strings.HasSuffix(where, " in "+onlyOurs) && !strings.Contains(claims, "AUTH-7fs1e") {
			if !strings.HasPrefix(zitadel, "Forbidden ") || !strings.Contains(zitadel, "AUTH-Bs7Ds") {
				t.Errorf("%s: the provider's word is %s, want that there is no such organisation", where, zitadel)
			}
			continue
		}
		if claims != zitadel {
			t.Errorf("%s:\nclaims:  %s\nzitadel: %s", where, claims, zitadel)
		}
	}
	if removed != 4 { // the admin and the manager, with the header and without
		t.Errorf("%d were let in, want 4", removed)
	}
}

// While the provider cannot tell what callers may do, nothing is removed in any form, nobody is refused for good, and calls
// succeed again as soon as the provider is well. Calls that need no permission go on.
func TestPermissionsOutOfOrder(t *testing.T) {
	p := newProvider(t, nil)
	dir := filepath.Join(t.TempDir(), "data")
	stored := registerWithPicture(t, dir, p.Issuer, devidp.UserAlice, devidp.UserBob)
	srv, url := startServe(t, p.Settings(), dir, "--authz-source", "zitadel", "--introspection-cache-ttl", "0", "--introspection-timeout", "30s")
	caller := newCaller(t, url)
	portrait := url + "/assets/v1/" + devidp.OrgAcme + "/users/" + devidp.UserAlice + "/avatar"
	manager, alice := p.mint(t, managerID), p.mint(t, devidp.UserAlice)
	for _, row := range []struct {
		why  string
		mood http.HandlerFunc
	}{
		{"500", func(w http.ResponseWriter, r *http.Request) { http.Error(w, spill(r), http.StatusInternalServerError) }},
		{"cut connection", authztest.Reset},
		{"401 of somebody on the way", func(w http.ResponseWriter, r *http.Request) { http.Error(w, spill(r), http.StatusUnauthorized) }},
		{"403 of somebody on the way", func(w http.ResponseWriter, r *http.Request) { http.Error(w, spill(r), http.StatusForbidden) }},
		{"HTML", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("<html>" + spill(r))) }},
		{"a redirect", p.Redirect(http.StatusTemporaryRedirect)},
		{"64 MB", p.Flood},
	} {
		p.Misbehave("", func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/permissions/") {
				row.mood(w, r)
				return
			}
			p.Handler().ServeHTTP(w, r)
		})
		for form, got := range caller.removeInAllForms(t, manager, devidp.UserAlice) {
			wantUnavailable(t, row.why+", "+string(form), got, p, manager)
		}
		wantStatus(t, 200, http.MethodGet, portrait, "")
		if got := caller.upload(t, url+"/assets/v1/users/me/avatar", alice, picture.Sample(2, 3000)); got.Code != 0 {
			t.Errorf("%s: an upload of one's own needs no permission: %v", row.why, got.Code)
		}
		p.Misbehave("", nil)
		manager = p.mint(t, managerID) // another token: one that has failed is not asked about for a second
		for form, got := range caller.removeInAllForms(t, manager, devidp.UserBob) {
			if got.Code != 0 {
				t.Errorf("%s, %s: after recovery: %v: %s", row.why, form, got.Code, got.Message)
			}
		}
	}
	if len(stored) == 0 {
		t.Error("there was no picture")
	}
	caller.Close()
	srv.stop()
	for what, secret := range map[string]string{"token": manager, "own token": alice, "client secret": p.Client.Secret} {
		if strings.Contains(srv.out.String(), secret) {
			t.Errorf("the %s is in the log:\n%s", what, srv.out)
		}
	}
}

// A permission that is taken away is gone with the next look, in every form.
func TestRevokedWhileAskingForPermissions(t *testing.T) {
	p := newProvider(t, nil)
	dir := filepath.Join(t.TempDir(), "data")
	registerWithPicture(t, dir, p.Issuer, devidp.UserAlice, devidp.UserBob)
	srv, url := startServe(t, p.Settings(), dir, "--authz-source", "zitadel", "--introspection-cache-ttl", "0")
	caller := newCaller(t, url)
	for form := range caller.removeInAllForms(t, p.mint(t, managerID), devidp.UserBob) {
		token := p.mint(t, managerID)
		// Introspection is well with the token; when permissions are asked for, it has ended.
		p.Misbehave("", func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/permissions/") {
				if err := p.Revoke(token); err != nil {
					t.Error(err)
				}
			}
			p.Handler().ServeHTTP(w, r)
		})
		got := caller.remove(t, form, token, devidp.UserAlice)
		if got.Code != connect.CodeUnauthenticated || !strings.HasSuffix(got.Message, "(AUTH-7fs1e)") {
			t.Errorf("%s: %v %s, want that the token is no longer valid", form, got.Code, got.Message)
		}
		p.Misbehave("", nil)
	}
	caller.Close()
	srv.stop()
	store := openStore(t, dir)
	defer store.Close()
	if _, err := store.Get(t.Context(), storage.UserKey{Issuer: p.Issuer, ID: devidp.UserAlice}, devidp.OrgAcme); err != nil {
		t.Errorf("the picture: %v", err)
	}
}
