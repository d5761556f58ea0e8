package authz

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const testNow = 1_700_000_000 // Unix seconds

var testRules = rules{issuer: "https://id.example", audience: "avatars", projectID: "42", allowPAT: true}

// claims returns a good answer with some members changed; a nil value removes one.
func claims(changes map[string]any) string {
	members := map[string]any{
		"active": true, "sub": "alice", "iss": "https://id.example", "aud": []string{"other", "avatars"},
		"client_id": "app", "exp": testNow + 60, "nbf": testNow - 60, "token_type": "Bearer",
		"urn:zitadel:iam:user:resourceowner:id":   "acme",
		"urn:zitadel:iam:org:project:42:roles":    map[string]any{"ORG_OWNER": map[string]any{"globex": "globex.example", "acme": "acme.example"}},
		"urn:zitadel:iam:org:project:43:roles":    map[string]any{"FOREIGN": map[string]any{"acme": "acme.example"}},
		"urn:zitadel:iam:org:project:roles":       map[string]any{"UNQUALIFIED": map[string]any{"acme": "acme.example"}},
		"urn:zitadel:iam:org:project:42:roles:x":  map[string]any{"SUFFIXED": map[string]any{"acme": "acme.example"}},
		"URN:ZITADEL:IAM:ORG:PROJECT:42:ROLES":    map[string]any{"SHOUTED": map[string]any{"acme": "acme.example"}},
		"urn:zitadel:iam:org:project:id:42:roles": map[string]any{"CROOKED": map[string]any{"acme": "acme.example"}},
	}
	maps.Copy(members, changes)
	maps.DeleteFunc(members, func(_ string, v any) bool { return v == nil })
	text, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// identify reads and judges an answer as an Introspector does.
func identify(r rules, text string) (Identity, error) {
	var a introspectionResponse
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return Identity{}, err
	}
	v, err := r.validate(a)
	if err != nil {
		return Identity{}, err
	}
	return v.identityAt(time.Unix(testNow, 0))
}

func TestIdentity(t *testing.T) {
	got, err := identify(testRules, claims(nil))
	want := Identity{Issuer: "https://id.example", Subject: "alice", Organization: "acme", Roles: map[string][]string{"ORG_OWNER": {"acme", "globex"}}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("identity: %v (-want +got):\n%s", err, diff)
	}
}

func TestIdentityChecks(t *testing.T) {
	type change = map[string]any
	for _, row := range []struct {
		why     string
		change  change
		refused bool
	}{
		{"inactive", change{"active": false}, true},
		{"expires in a second", change{"exp": testNow + 1}, false},
		{"expires now: no grace at this end", change{"exp": testNow}, true},
		{"expires within this second, fraction cut off", change{"exp": testNow + 0.9}, true},
		{"expired a second ago", change{"exp": testNow - 1}, true},
		{"no expiry", change{"exp": nil}, true},
		{"expiry zero", change{"exp": 0}, true},
		{"far future", change{"exp": int64(1) << 53}, false},
		{"no nbf", change{"nbf": nil}, false},
		{"valid in five seconds: the provider's clock may be ahead", change{"nbf": testNow + 5}, false},
		{"valid in six seconds", change{"nbf": testNow + 6}, true},
		{"no issuer", change{"iss": nil}, false},
		{"another issuer", change{"iss": "https://evil.example"}, true},
		{"issuer with a slash more", change{"iss": "https://id.example/"}, true},
		{"empty issuer", change{"iss": ""}, true},
		{"audience as a string", change{"aud": "avatars"}, false},
		{"another audience", change{"aud": "other"}, true},
		{"several other audiences", change{"aud": []string{"a", "b"}}, true},
		{"audience as a part of one", change{"aud": "avatars other"}, true},
		{"empty audience", change{"aud": []string{}}, true},
		{"no audience", change{"aud": nil}, true},
		{"no subject", change{"sub": nil}, true},
		{"empty subject", change{"sub": ""}, true},
		{"subject of 200 code points", change{"sub": strings.Repeat("ü", 200)}, false},
		{"subject of 201 code points", change{"sub": strings.Repeat("x", 201)}, true},
		{"subject with a control character", change{"sub": "al\nice"}, true},
		{"subject that was broken UTF-8", change{"sub": "al\xffice"}, true},
		{"no organisation", change{"urn:zitadel:iam:user:resourceowner:id": nil}, false},
		{"organisation that is no id", change{"urn:zitadel:iam:user:resourceowner:id": "a\tb"}, true},
		{"no role claim", change{"urn:zitadel:iam:org:project:42:roles": nil}, false},
		{"typ of Keycloak's access tokens", change{"typ": "Bearer"}, false},
		{"typ of RFC 9068", change{"typ": "application/at+jwt"}, false},
		{"refresh token by typ", change{"typ": "Refresh"}, true},
		{"offline token by typ", change{"typ": "Offline"}, true},
		{"ID token by typ", change{"typ": "ID"}, true},
		{"access token by token_use", change{"token_use": "access"}, false},
		{"ID token by token_use", change{"token_use": "id"}, true},
		{"refresh token by token_use", change{"token_use": "refresh_token"}, true},
		{"a kind nobody has heard of", change{"token_use": "magic"}, true},
		{"refresh token by token_type", change{"token_type": "refresh_token"}, true},
		{"DPoP by token_type", change{"token_type": "DPoP"}, true},
		{"no kind at all", change{"token_type": nil}, false},
		{"bound to a key", change{"cnf": change{"jkt": "x"}}, true},
		{"bound to nothing we know", change{"cnf": change{}}, true},
		{"cnf null", change{"cnf": json.RawMessage("null")}, false},
		{"no client: a personal access token, allowed here", change{"client_id": nil}, false},
	} {
		_, err := identify(testRules, claims(row.change))
		if row.refused && !errors.Is(err, ErrInvalidToken) || !row.refused && err != nil {
			t.Errorf("%s: identity of %v: %v, refused should be %v", row.why, row.change, err, row.refused)
		}
	}
}

func TestPersonalAccessTokens(t *testing.T) {
	strict := testRules
	strict.allowPAT = false
	for _, client := range []any{nil, "", json.RawMessage("null")} {
		if _, err := identify(strict, claims(map[string]any{"client_id": client})); !errors.Is(err, ErrInvalidToken) {
			t.Errorf("client_id %v: %v, want ErrInvalidToken", client, err)
		}
	}
	if _, err := identify(strict, claims(nil)); err != nil {
		t.Errorf("with a client: %v", err)
	}
}

// Only what the configured project granted, in the organisation it was granted in, reaches a decision.
func TestRolesThatMustNotCount(t *testing.T) {
	policy := DefaultPolicy()
	policy.InstanceOrganization = "acme"
	policy.InstanceRoles = map[string][]Permission{"IAM_OWNER": {UserWrite}}
	grants := func(role, org string) any { return map[string]any{role: map[string]any{org: "x.example"}} }
	const qualified = "urn:zitadel:iam:org:project:42:roles"

	for _, row := range []struct {
		why       string
		projectID string
		change    map[string]any
		member    bool
	}{
		{"control: a role of the project in this organisation", "42", map[string]any{qualified: grants("ORG_OWNER", "globex")}, true},
		{"control: instance-wide in the instance organisation", "42", map[string]any{qualified: grants("IAM_OWNER", "acme")}, true},
		{"a foreign project", "42", map[string]any{qualified: nil, "urn:zitadel:iam:org:project:43:roles": grants("ORG_OWNER", "globex")}, false},
		{"the unqualified claim", "42", map[string]any{qualified: nil, "urn:zitadel:iam:org:project:roles": grants("ORG_OWNER", "globex")}, false},
		{"a foreign organisation", "42", map[string]any{qualified: grants("ORG_OWNER", "initech")}, false},
		{"instance-wide outside the instance organisation", "42", map[string]any{qualified: grants("IAM_OWNER", "initech")}, false},
		{"no project configured", "", map[string]any{qualified: grants("ORG_OWNER", "globex"), "urn:zitadel:iam:org:project::roles": grants("ORG_OWNER", "globex")}, false},
	} {
		r := testRules
		r.projectID = row.projectID
		id, err := identify(r, claims(row.change))
		if err != nil {
			t.Errorf("%s: %v", row.why, err)
			continue
		}
		if got := policy.Grant(id, "globex"); got.Member != row.member || (len(got.Allowed) > 0) != row.member {
			t.Errorf("%s: Grant = %+v, want member %v", row.why, got, row.member)
		}
	}
}
