package e2e

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/server/picture"
)

// scopesOfSDKs are what clients of ZITADEL's API request by themselves: nothing says which organisation they belong to.
func scopesOfSDKs(p *faultyProvider) []string {
	return []string{"openid", devidp.ScopeAudience(p.Audience)}
}

func (p *faultyProvider) mintSpec(t *testing.T, spec devidp.TokenSpec) string {
	t.Helper()
	token, err := p.Mint(spec)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Tokens that do not name an organisation work where the provider is asked for permissions: it says where the caller belongs, and
// nothing a header says gets anybody further than that.
func TestTokensWithoutOrganizationAskTheProvider(t *testing.T) {
	p := newProvider(t, nil)
	dir := filepath.Join(t.TempDir(), "data")
	registerWithPicture(t, dir, p.Issuer, devidp.UserAlice, devidp.UserBob)
	srv, url := startServe(t, p.Settings(), dir, "--authz-source", "zitadel")
	caller := newCaller(t, url)
	token := func(subject string) string {
		return p.mintSpec(t, devidp.TokenSpec{Subject: subject, Scopes: scopesOfSDKs(p)})
	}
	alice, carol, manager, nobody := token(devidp.UserAlice), token(devidp.UserCarol), token(managerID), token("150317214593155204")
	own := url + "/assets/v1/users/me/avatar"
	for name, row := range map[string]struct{ token, org, header string }{
		"alice":                            {alice, devidp.OrgAcme, ""},
		"alice with the header of another": {alice, devidp.OrgAcme, devidp.OrgGlobex},
		"carol, whose organisation is not here yet": {carol, devidp.OrgGlobex, devidp.OrgAcme},
	} {
		caller.organization = row.header
		if got := caller.upload(t, own, row.token, picture.Sample(2, 900)); got.Code != 0 || !strings.Contains(got.Raw, `"resourceOwner":"`+row.org+`"`) {
			t.Errorf("%s: upload: %v %s, want one in %s", name, got.Code, got.Raw, row.org)
		}
		status, body := call(t, http.MethodDelete, url+"/auth/v1/users/me/avatar", row.token, "X-Zitadel-Orgid", row.header)
		if status != http.StatusOK || !strings.Contains(body, `"resourceOwner":"`+row.org+`"`) {
			t.Errorf("%s: delete: %d %s, want one in %s", name, status, body, row.org)
		}
	}
	caller.organization = ""
	for form, got := range caller.removeInAllForms(t, manager, devidp.UserAlice) {
		if got.Code != 0 || got.Details.GetResourceOwner() != devidp.OrgAcme {
			t.Errorf("%s: a manager at home: %v %s", form, got.Code, got.Message)
		}
	}
	for name, row := range map[string]struct{ token, user, org, id string }{
		"a manager, elsewhere":           {manager, devidp.UserCarol, devidp.OrgGlobex, "AUTHZ-cdgFk"},
		"a manager, a user of elsewhere": {manager, devidp.UserCarol, "", "USER-35N8f"},
		"somebody without a role":        {nobody, devidp.UserBob, "", "AUTHZ-cdgFk"},
		"the user of another":            {carol, devidp.UserBob, devidp.OrgAcme, "AUTHZ-cdgFk"},
	} {
		status, body := call(t, http.MethodDelete, url+"/management/v1/users/"+row.user+"/avatar", row.token, "X-Zitadel-Orgid", row.org)
		if status == http.StatusOK || !strings.Contains(body, row.id) {
			t.Errorf("%s: %d %s, want %s", name, status, body, row.id)
		}
	}
	fresh := token(devidp.UserAlice)
	wantUnknownHome(t, p, caller, own, fresh)
	caller.Close()
	srv.stop()
	for _, secret := range []string{alice, carol, manager, nobody, fresh} {
		if strings.Contains(srv.out.String(), secret) {
			t.Errorf("a token is in the log:\n%s", srv.out)
		}
	}
}

// An organisation that exists at the provider and is new here is registered once somebody with permission acts in it. Nobody else can
// register one, and nobody can make the server ask the provider about invented ones without end.
func TestOrganizationsNewHere(t *testing.T) {
	p := newProvider(t, nil)
	dir := filepath.Join(t.TempDir(), "data")
	registerWithPicture(t, dir, p.Issuer, devidp.UserAlice) // of acme
	srv, url := startServe(t, p.Settings(), dir, "--authz-source", "zitadel", "--assets-public=false")
	remove := func(name, token, org, want string) {
		t.Helper()
		status, body := call(t, http.MethodDelete, url+"/management/v1/users/"+devidp.UserBob+"/avatar", p.Tokens[token], "X-Zitadel-Orgid", org)
		if status == http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s, want %s", name, status, body, want)
		}
	}
	remove("a manager of another organisation", "TOKEN_MANAGER", devidp.OrgGlobex, "AUTHZ-cdgFk")
	remove("no role anywhere", "TOKEN_NOBODY", devidp.OrgInitech, "AUTHZ-cdgFk")
	remove("nobody's organisation", "TOKEN_ADMIN", "111111111111111111", "AUTH-Bs7Ds")
	remove("no id", "TOKEN_ADMIN", strings.Repeat("x", 201), "AUTH-Bs7Ds")
	path := "/assets/v1/" + devidp.OrgGlobex + "/users/" + devidp.UserCarol + "/avatar"
	wantStatus(t, http.StatusNotFound, http.MethodGet, url+path, p.Tokens["TOKEN_MANAGER"])
	remove("an owner there", "TOKEN_GLOBEX_OWNER", devidp.OrgGlobex, "USER-35N8f")
	limited := 0
	for range 40 {
		status, _ := call(t, http.MethodDelete, url+"/management/v1/users/"+devidp.UserBob+"/avatar", p.Tokens["TOKEN_VIEWER"], "X-Zitadel-Orgid", "1")
		if status == http.StatusTooManyRequests {
			limited++
		}
	}
	if limited == 0 {
		t.Error("forty questions about invented organisations were all asked")
	}
	wantStatus(t, http.StatusForbidden, http.MethodDelete, url+"/management/v1/users/"+devidp.UserAlice+"/avatar", p.Tokens["TOKEN_VIEWER"])
	srv.stop()
	store := openStore(t, dir)
	defer store.Close()
	for org, want := range map[string]bool{devidp.OrgGlobex: true, devidp.OrgInitech: false, "111111111111111111": false, "1": false} {
		if has, err := store.HasOrganization(t.Context(), org); has != want || err != nil {
			t.Errorf("organisation %s is registered: %v, %v, want %v", org, has, err, want)
		}
	}
}

// Personal access tokens come in where the provider says what they allow, unless that is switched off; with roles out of the token they
// stay out unless it is switched on.
func TestPersonalTokensBySource(t *testing.T) {
	p := newProvider(t, nil)
	for flags, want := range map[string]int{
		"--authz-source=zitadel":                         http.StatusOK,
		"--authz-source=zitadel --authz-allow-pat=false": http.StatusUnauthorized,
		"--authz-source=claims":                          http.StatusUnauthorized,
		"--authz-source=claims --authz-allow-pat":        http.StatusOK,
	} {
		dir := filepath.Join(t.TempDir(), "data")
		registerWithPicture(t, dir, p.Issuer, devidp.UserAlice)
		srv, url := startServe(t, p.Settings(), dir, strings.Fields(flags)...)
		token := p.mintSpec(t, devidp.TokenSpec{Subject: managerID, Personal: true})
		status, body := call(t, http.MethodDelete, url+"/management/v1/users/"+devidp.UserAlice+"/avatar", token)
		if status != want {
			t.Errorf("%s: %d %s, want %d", flags, status, body, want)
		}
		srv.stop()
	}
}

// wantUnknownHome demands that nobody is let in, and nobody is refused for good, while the provider does not say where somebody belongs.
func wantUnknownHome(t *testing.T, p *faultyProvider, caller *caller, url, token string) {
	t.Helper()
	p.Misbehave("", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/users/me") {
			http.Error(w, spill(r), http.StatusInternalServerError)
			return
		}
		p.Handler().ServeHTTP(w, r)
	})
	if got := caller.upload(t, url, token, picture.Sample(2, 900)); got.Status != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
		t.Errorf("while the provider fails: %d %s, want 503 with Retry-After", got.Status, got.Raw)
	}
}
