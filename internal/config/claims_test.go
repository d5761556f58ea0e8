package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.org/avatard/authz"
)

// Each kind of claims has its places, of which settings replace single ones.
func TestClaimPathsOfSettings(t *testing.T) {
	for args, want := range map[string]*authz.ClaimPaths{
		"": nil,
		"--authz-claims=keycloak": {Roles: []authz.ClaimPath{{"realm_access", "roles"}, {"resource_access", "1", "roles"}},
			Organization: authz.ClaimPath{"organization"}},
		"--authz-claims=keycloak --authz-project-id=c.d --authz-organisation-claim=tenant.id": {
			Roles: []authz.ClaimPath{{"realm_access", "roles"}, {"resource_access", "c.d", "roles"}}, Organization: authz.ClaimPath{"tenant", "id"}},
		"--authz-claims=keycloak --authz-role-claims=roles":        {Roles: []authz.ClaimPath{{"roles"}}, Organization: authz.ClaimPath{"organization"}},
		"--authz-claims=keycloak --default-organisation=everybody": {Roles: []authz.ClaimPath{{"realm_access", "roles"}, {"resource_access", "1", "roles"}}},
		"--authz-claims=keycloak --default-organisation=everybody --authz-organisation-claim=o": {
			Roles: []authz.ClaimPath{{"realm_access", "roles"}, {"resource_access", "1", "roles"}}, Organization: authz.ClaimPath{"o"}},
		"--authz-claims=generic --default-organisation=everybody":                          {},
		`--authz-claims=generic --authz-role-claims=a\.b,c.d --authz-organisation-claim=o`: {Roles: []authz.ClaimPath{{"a.b"}, {"c", "d"}}, Organization: authz.ClaimPath{"o"}},
	} {
		cfg := mustRead(t, minimal, nil, strings.Fields(args)...)
		if diff := cmp.Diff(want, cfg.ClaimPaths()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", args, diff)
		}
	}
}

// Only ZITADEL is asked for ZITADEL's scopes.
func TestScopesOfThePagesByClaims(t *testing.T) {
	for args, want := range map[string][]string{
		"--page-client-id=p":                                                    nil,
		"--page-client-id=p --authz-claims=keycloak":                            {"openid"},
		"--page-client-id=p --authz-claims=keycloak --page-scopes=openid,other": {"openid", "other"},
		"--authz-claims=keycloak":                                               nil,
	} {
		cfg := mustRead(t, minimal, nil, strings.Fields(args)...)
		if !slices.Equal(cfg.PageScopes, want) {
			t.Errorf("%s: %q, want %q", args, cfg.PageScopes, want)
		}
	}
}
