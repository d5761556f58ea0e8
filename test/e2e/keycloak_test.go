package e2e

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/test/client"
)

// With the claims of Keycloak a role counts in the organisation that the token names, and for nobody of another one, whatever the header says.
// Tokens of several organisations are refused, as are refresh and ID tokens, which Keycloak calls active.
func TestKeycloakClaims(t *testing.T) {
	t.Parallel()
	p := newProvider(t, nil)
	dir := filepath.Join(t.TempDir(), "data")
	registerWithPicture(t, dir, p.Issuer, devidp.UserAlice, devidp.UserBob)
	srv, url := startServe(t, p.Settings(), dir, "--authz-claims", "keycloak", "--authz-project-id", "avatars.example",
		"--authz-roles", "avatar-manager=user.write,user.read", "--default-organisation", "everybody", "--authz-organisation-claim", "organization")
	caller := newCaller(t, url)

	answers := map[string]map[string]any{}
	token := func(organization any, more map[string]any) string {
		made := p.mint(t, managerID)
		answers[made] = map[string]any{"typ": "Bearer", "organization": organization}
		maps.Copy(answers[made], more)
		return made
	}
	roles := func(names ...string) map[string]any { return map[string]any{"roles": names} }
	realm := map[string]any{"realm_access": roles("offline_access", "avatar-manager")}
	ofClient := map[string]any{"resource_access": map[string]any{"avatars.example": roles("avatar-manager")}}
	kinds := func(typ string) map[string]any {
		return map[string]any{"typ": typ, "realm_access": realm["realm_access"]}
	}
	for _, row := range []struct {
		title, token, organization string // that the header names
		want                       int
		id                         string
	}{
		{"no role at all; ZITADEL's role claim, which the answer holds, counts for nothing", token([]string{devidp.OrgAcme}, nil), "", 404, "AUTHZ-cdgFk"},
		{"a role of another client", token([]string{devidp.OrgAcme}, map[string]any{"resource_access": map[string]any{"account": roles("avatar-manager")}}), "", 404, "AUTHZ-cdgFk"},
		{"a role that allows nothing", token([]string{devidp.OrgAcme}, map[string]any{"realm_access": roles("offline_access")}), "", 403, "AUTH-5mWD2"},
		{"of another organisation", token([]string{devidp.OrgGlobex}, realm), devidp.OrgAcme, 404, "AUTHZ-cdgFk"},
		{"of another organisation, without a header", token([]string{devidp.OrgGlobex}, realm), "", 404, "USER-35N8f"},
		{"of no organisation, whose roles count nowhere", token(nil, realm), devidp.OrgAcme, 404, "AUTHZ-cdgFk"},
		{"of no organisation, without a header", token([]string{}, realm), "", 404, "AUTHZ-cdgFk"},
		{"of two", token([]string{devidp.OrgAcme, devidp.OrgGlobex}, realm), devidp.OrgAcme, 401, "AUTH-7fs1e"},
		{"a refresh token", token([]string{devidp.OrgAcme}, kinds("Refresh")), "", 401, "AUTH-7fs1e"},
		{"an ID token", token([]string{devidp.OrgAcme}, kinds("ID")), "", 401, "AUTH-7fs1e"},
		{"a role in the place of a list", token([]string{devidp.OrgAcme}, map[string]any{"realm_access": map[string]any{"roles": "avatar-manager"}}), "", 503, ""},
		{"a role of the client", token([]string{devidp.OrgAcme}, ofClient), "", 200, ""},
		{"a role of the realm", token(map[string]any{devidp.OrgAcme: map[string]any{"id": "7c1b"}}, realm), devidp.OrgAcme, 200, ""},
	} {
		p.follow(script{introspect: answers})
		caller.organization = row.organization
		got := caller.remove(t, client.REST, row.token, devidp.UserAlice)
		if got.Status != row.want || !strings.Contains(got.Message, row.id) {
			t.Errorf("%s: HTTP %d %s, want %d %s", row.title, got.Status, got.Message, row.want, row.id)
		}
		if row.want == 200 && got.Details.GetResourceOwner() != devidp.OrgAcme {
			t.Errorf("%s: %v", row.title, got)
		}
	}
	caller.Close()
	srv.stop()
}
