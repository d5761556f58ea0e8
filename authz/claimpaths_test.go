package authz

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// keycloak are the rules for a Keycloak whose callers belong to acme or, when their token names none, to everybody.
func keycloak(defaultOrg string) rules {
	r := testRules
	places := KeycloakClaims("avatars.example")
	r.claims, r.defaultOrg = &places, defaultOrg
	return r
}

// ofKeycloak returns a good answer with roles and organisation where Keycloak puts them; ZITADEL's claims are in it, too.
func ofKeycloak(organization, realm, client string) string {
	change := map[string]any{}
	for name, text := range map[string]string{"organization": organization, "realm_access": realm, "resource_access": client} {
		if text != "" {
			change[name] = json.RawMessage(text)
		}
	}
	return claims(change)
}

func TestClaimPathsOfKeycloak(t *testing.T) {
	const realm, client = `{"roles":["manager","offline_access"]}`, `{"avatars.example":{"roles":["viewer","manager"]},"account":{"roles":["FOREIGN"]}}`
	in := func(org string) map[string][]string {
		return map[string][]string{"manager": {org}, "offline_access": {org}, "viewer": {org}}
	}
	for _, row := range []struct {
		why, organization, realm, client, defaultOrg string
		home                                         string
		roles                                        map[string][]string
	}{
		{"a list of one", `["acme"]`, realm, client, "", "acme", in("acme")},
		{"a string", `"acme"`, realm, client, "", "acme", in("acme")},
		{"an object with one member", `{"acme":{"id":"7c1b"}}`, realm, client, "", "acme", in("acme")},
		{"the default does not count beside one that is named", `["acme"]`, realm, client, "everybody", "acme", in("acme")},
		{"none, and a default: roles count nowhere", ``, realm, client, "everybody", "", nil},
		{"null, and a default", `null`, realm, client, "everybody", "", nil},
		{"an empty list, and a default", `[]`, realm, client, "everybody", "", nil},
		{"an empty object, and a default", `{}`, realm, client, "everybody", "", nil},
		{"none at all: roles count nowhere", ``, realm, client, "", "", nil},
		{"roles of other clients only", `["acme"]`, ``, `{"account":{"roles":["manager"]},"avatars":{"example":{"roles":["manager"]}}}`, "", "acme", map[string][]string{}},
		{"null on the way", `["acme"]`, `null`, `{"avatars.example":null}`, "", "acme", map[string][]string{}},
		{"roles that are no names", `["acme"]`, `{"roles":["","a\nb","\ud800","` + strings.Repeat("x", 201) + `","ok"]}`, ``, "", "acme", map[string][]string{"ok": {"acme"}}},
	} {
		got, err := identify(keycloak(row.defaultOrg), ofKeycloak(row.organization, row.realm, row.client))
		want := Identity{Issuer: "https://id.example", Subject: "alice", Organization: row.home, Roles: row.roles}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", row.why, err, diff)
		}
	}
}

// A token that does not say where its roles count is refused, whatever the default.
func TestClaimPathsThatAreRefused(t *testing.T) {
	for _, organization := range []string{
		`["acme","globex"]`, `["acme","acme"]`, `{"acme":{},"globex":{}}`, `""`, `[""]`, `{"":{}}`, `"a\nb"`, `["\ud800"]`, `"` + strings.Repeat("x", 201) + `"`,
	} {
		for _, fallback := range []string{"", "everybody"} {
			id, err := identify(keycloak(fallback), ofKeycloak(organization, `{"roles":["ORG_OWNER"]}`, ``))
			if !errors.Is(err, ErrInvalidToken) {
				t.Errorf("organisation %s: %+v, %v, want ErrInvalidToken", organization, id, err)
			}
		}
	}
}

// Members of another type than the place calls for are the provider's fault, and never a reason to guess.
func TestClaimPathsOfTheWrongType(t *testing.T) {
	for _, row := range [][3]string{
		{`7`}, {`true`}, {`[7]`}, {`[null]`}, {`[["acme"]]`}, {`["acme",null]`},
		{``, `[]`}, {``, `"manager"`}, {``, `{"roles":"manager"}`}, {``, `{"roles":{"manager":{}}}`}, {``, `{"roles":[1]}`}, {``, `{"roles":[null]}`},
		{``, `{"roles":[["manager"]]}`}, {``, `{"roles":true}`},
		{``, ``, `[]`}, {``, ``, `{"avatars.example":["manager"]}`}, {``, ``, `{"avatars.example":{"roles":"manager"}}`},
	} {
		id, err := identify(keycloak("everybody"), ofKeycloak(row[0], row[1], row[2]))
		if !errors.Is(err, errMalformedResponse) {
			t.Errorf("%q: %+v, %v, want errMalformedResponse", row, id, err)
		}
	}
}

// Keycloak calls refresh and ID tokens active. Neither is let in, whatever its roles.
func TestClaimPathsAndOtherKindsOfTokens(t *testing.T) {
	for _, kind := range []string{"Refresh", "Offline", "ID"} {
		text := claims(map[string]any{"typ": kind, "organization": []string{"acme"}, "realm_access": map[string]any{"roles": []string{"ORG_OWNER"}}})
		if id, err := identify(keycloak(""), text); !errors.Is(err, ErrInvalidToken) {
			t.Errorf("typ %s: %+v, %v, want ErrInvalidToken", kind, id, err)
		}
	}
}

// Whatever stands at the places: an identity has roles in one organisation at most, the one that the answer names or else the default, and
// each of them is in the answer.
func TestRolesStayInOneOrganization(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[rng.IntN(len(from))] }
	list := func() string {
		items := make([]string, rng.IntN(3))
		for i := range items {
			items[i] = pick(`"acme"`, `"globex"`, `"ORG_OWNER"`, `"IAM_OWNER"`, `"a\tb"`, `null`, `1`, `[]`)
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	value := func() string {
		return pick("", "null", `"acme"`, `"globex"`, `7`, list(), list(), list(), `{}`, `{"acme":{}}`, `{"acme":{},"globex":{}}`)
	}
	policy := DefaultPolicy()
	accepted := 0
	for range 4_000 {
		fallback := pick("", "everybody")
		organization, roles := value(), value()
		realm := pick("", "null", list(), `{"roles":`+pick(roles, list(), `null`)+`}`)
		if strings.HasSuffix(realm, ":}") {
			realm = `{"roles":null}`
		}
		text := ofKeycloak(organization, realm, pick("", `{"avatars.example":{"roles":`+list()+`}}`, `{"account":{"roles":`+list()+`}}`))
		id, err := identify(keycloak(fallback), text)
		if err != nil {
			if !errors.Is(err, ErrInvalidToken) && !errors.Is(err, errMalformedResponse) {
				t.Fatalf("%s: %v", text, err)
			}
			continue
		}
		accepted++
		home := id.Organization
		if home == "" {
			home = fallback
		} else if !strings.Contains(organization, `"`+home+`"`) {
			t.Fatalf("organisation %q out of %s", home, text)
		}
		for role, orgs := range id.Roles {
			if !slices.Equal(orgs, []string{home}) || home == "" || !strings.Contains(text, `"`+role+`"`) {
				t.Fatalf("role %q in %q, home %q, out of %s", role, orgs, home, text)
			}
		}
		for _, org := range []string{"acme", "globex", "everybody", "initech"} {
			if g := policy.Grant(id, org); g.Member && org != home {
				t.Fatalf("%+v in %s, home %q, out of %s", g, org, home, text)
			}
		}
	}
	if accepted < 400 {
		t.Errorf("only %d answers were accepted, which shows little", accepted)
	}
}

func TestParseClaimPath(t *testing.T) {
	for text, want := range map[string]ClaimPath{
		"roles":                       {"roles"},
		"realm_access.roles":          {"realm_access", "roles"},
		`https://example\.com/roles`:  {"https://example.com/roles"},
		`resource_access.a\.b.roles`:  {"resource_access", "a.b", "roles"},
		`a\\.b`:                       {`a\`, "b"},
		"a.b.c.d.e.f.g.h":             {"a", "b", "c", "d", "e", "f", "g", "h"},
		"":                            nil,
		".":                           nil,
		"a.":                          nil,
		".a":                          nil,
		"a..b":                        nil,
		`a\`:                          nil,
		`a\b`:                         nil,
		"a\nb":                        nil,
		"a.b.c.d.e.f.g.h.i":           nil,
		strings.Repeat("x", 201):      nil,
		"urn:zitadel:iam:org:project": {"urn:zitadel:iam:org:project"},
	} {
		got, err := ParseClaimPath(text)
		if (err != nil) != (want == nil) || want != nil && !slices.Equal(got, want) {
			t.Errorf("ParseClaimPath(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
}

// Without places for it nothing is read, and ZITADEL's claims, which the answers hold, are not either.
func TestClaimPathsReadNothingElse(t *testing.T) {
	r := testRules
	r.claims, r.defaultOrg = &ClaimPaths{}, "everybody"
	id, err := identify(r, ofKeycloak(`["acme"]`, `{"roles":["ORG_OWNER"]}`, ``))
	if err != nil || id.Organization != "" || len(id.Roles) != 0 {
		t.Errorf("identity = %+v, %v, want one without organisation and roles", id, err)
	}
	// Where no answer is asked for an organisation, roles count in the default one.
	r.claims = &ClaimPaths{Roles: KeycloakClaims("").Roles[:1]}
	id, err = identify(r, ofKeycloak(`["acme"]`, `{"roles":["ORG_OWNER"]}`, ``))
	if want := map[string][]string{"ORG_OWNER": {"everybody"}}; err != nil || id.Organization != "" || !cmp.Equal(id.Roles, want) {
		t.Errorf("identity = %+v, %v, want roles in the default organisation", id, err)
	}
	// Members of other types at ZITADEL's claims are nothing to complain of.
	if _, err := identify(r, claims(map[string]any{"urn:zitadel:iam:org:project:42:roles": []int{1}})); err != nil {
		t.Error(err)
	}
}
