package devidp

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestClientCredentials(t *testing.T) {
	f := start(t)
	ours := ScopeAudience(f.seeded.Audience)

	got := f.introspect(t, f.machineToken(t, "manager", "openid "+ScopeOrganization+" "+ours+" made-up"))
	if got["active"] != true || got["sub"] != f.clients["manager"].account || got["client_id"] != "manager" ||
		got[claimOrganization] != OrgAcme || got["scope"] != "openid "+ScopeOrganization+" "+ours {
		t.Errorf("token of the manager: %v", got)
	}
	if f.active(t, f.machineToken(t, "manager", "openid "+ScopeOrganization)) {
		t.Error("active without the audience of the project")
	}
	if f.active(t, f.machineToken(t, "manager", ScopeAudience("another-project"))) {
		t.Error("active with another project as audience")
	}
}

func TestTokenEndpointRefuses(t *testing.T) {
	f := start(t)
	admin, _ := f.MachineClient("admin")
	api := f.seeded.Client
	for _, row := range []struct {
		about, id, secret, grant string
		status                   int
		error                    string
	}{
		{"wrong secret", admin.ID, "wrong", "client_credentials", 401, "invalid_client"},
		{"unknown client", "somebody", "x", "client_credentials", 401, "invalid_client"},
		{"the introspection client gets no tokens", api.ID, api.Secret, "client_credentials", 400, "unauthorized_client"},
		{"nor does the application for itself", f.seeded.ApplicationID, "", "client_credentials", 401, "invalid_client"},
		{"nobody has a password", admin.ID, admin.Secret, "password", 400, "unsupported_grant_type"},
		{"nobody has a device", admin.ID, admin.Secret, "urn:ietf:params:oauth:grant-type:device_code", 400, "unsupported_grant_type"},
		{"nothing is exchanged", admin.ID, admin.Secret, "urn:ietf:params:oauth:grant-type:token-exchange", 400, "unsupported_grant_type"},
	} {
		a := f.post(t, "/oauth/token", row.id, row.secret, url.Values{"grant_type": {row.grant}})
		if got := decode(t, a.body)["error"]; a.status != row.status || got != row.error {
			t.Errorf("%s: status %d, error %v; want %d, %s", row.about, a.status, got, row.status, row.error)
		}
	}
}

func TestRequestsAreBounded(t *testing.T) {
	f := start(t)
	admin, _ := f.MachineClient("admin")
	form := url.Values{"grant_type": {"client_credentials"}, "padding": {strings.Repeat("x", maxBodyBytes)}}
	if a := f.post(t, "/oauth/token", admin.ID, admin.Secret, form); a.status/100 != 4 {
		t.Errorf("body over the limit: status %d, want a refusal", a.status)
	}
	form.Set("padding", strings.Repeat("x", maxBodyBytes/2))
	if a := f.post(t, "/oauth/token", admin.ID, admin.Secret, form); a.status != http.StatusOK {
		t.Errorf("body under the limit: status %d, want 200", a.status)
	}
}

func TestRevocation(t *testing.T) {
	f := start(t)
	admin, _ := f.MachineClient("admin")
	viewer, _ := f.MachineClient("viewer")
	text := f.machineToken(t, "admin", ScopeAudience(f.seeded.Audience))
	form := url.Values{"token": {text}}

	if a := f.post(t, "/revoke", viewer.ID, viewer.Secret, form); a.status != http.StatusUnauthorized || !f.active(t, text) {
		t.Errorf("by another client: status %d, want 401 and a token that lives on", a.status)
	}
	if a := f.post(t, "/revoke", admin.ID, "wrong", form); a.status != http.StatusUnauthorized && a.status != http.StatusBadRequest || !f.active(t, text) {
		t.Errorf("with a wrong secret: status %d, want a refusal and a token that lives on", a.status)
	}
	id := f.introspect(t, text)["jti"].(string)
	if a := f.post(t, "/revoke", admin.ID, admin.Secret, url.Values{"token": {id}}); a.status != http.StatusOK || !f.active(t, text) {
		t.Errorf("by the id instead of the text: status %d, want 200 and no effect", a.status)
	}
	for _, about := range []string{"first", "again"} {
		if a := f.post(t, "/revoke", admin.ID, admin.Secret, form); a.status != http.StatusOK || f.active(t, text) {
			t.Errorf("%s: status %d, want 200 and an inactive token", about, a.status)
		}
	}
}

func TestProviderRevoke(t *testing.T) {
	f := start(t)
	text := f.seeded.Tokens["TOKEN_ALICE"]
	if err := f.Revoke(text + "A"); err == nil || !f.active(t, text) {
		t.Errorf("Revoke of another text = %v, want an error and no effect", err)
	}
	for range 2 {
		if err := f.Revoke(text); err != nil || f.active(t, text) {
			t.Errorf("Revoke = %v, want nil and an inactive token", err)
		}
	}
	if !f.active(t, f.seeded.Tokens["TOKEN_ADMIN"]) {
		t.Error("another token was revoked, too")
	}
}

func TestUserinfo(t *testing.T) {
	f := start(t)
	ask := func(text string) answer {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.seeded.Issuer+"/userinfo", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+text)
		return f.do(t, req)
	}
	a := ask(f.seeded.Tokens["TOKEN_ALICE"])
	if got := decode(t, a.body); got["sub"] != UserAlice || got["name"] != "Alice" {
		t.Errorf("userinfo of alice = %v", got)
	}
	for _, name := range []string{"TOKEN_EXPIRED", "TOKEN_REVOKED"} {
		if a := ask(f.seeded.Tokens[name]); a.status < 400 {
			t.Errorf("userinfo with %s: status %d", name, a.status)
		}
	}
}

func TestNumberOfTokensIsBounded(t *testing.T) {
	f := start(t)
	f.store.maxTokens = len(f.store.tokens) + 2 // the two that are inactive make room once more
	for i := range 4 {
		if _, err := f.Mint(TokenSpec{Subject: UserBob}); err != nil {
			t.Fatalf("token %d: %v", i, err)
		}
	}
	admin, _ := f.MachineClient("admin")
	a := f.post(t, "/oauth/token", admin.ID, admin.Secret, url.Values{"grant_type": {"client_credentials"}})
	if a.status != http.StatusInternalServerError {
		t.Errorf("over the limit: status %d, want 500", a.status)
	}
	f.clock.Advance(13 * time.Hour)
	if _, err := f.Mint(TokenSpec{Subject: UserBob}); err != nil {
		t.Errorf("after the others have expired: %v", err)
	}
}
