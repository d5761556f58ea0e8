package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/internal/admin"
	"example.org/avatard/storage"
)

// claims is an introspection answer; a nil value leaves a member out.
type claims map[string]any

// asserts returns a mood in which the provider says of every token what the claims are, and is well apart from that.
func (p *faultyProvider) asserts(c claims) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/introspect") {
			p.Handler().ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(c)
	}
}

const homeClaim = "urn:zitadel:iam:user:resourceowner:id"

// roleIn is a claim of roles with one role in organisations.
func roleIn(role string, orgs ...string) map[string]map[string]string {
	domains := map[string]string{}
	for _, org := range orgs {
		domains[org] = "a.example"
	}
	return map[string]map[string]string{role: domains}
}

// ruleRow is a delete by a manager of acme whose token is changed.
type ruleRow struct {
	title  string
	change claims
	org    string // header
	user   string // "" = alice
	code   connect.Code
	id     string
}

// rulesOfRoles are about organisations and about roles, which are in the claim ours.
func rulesOfRoles(ours string) []ruleRow {
	const (
		acme, globex, initech = devidp.OrgAcme, devidp.OrgGlobex, devidp.OrgInitech
		unqualified           = "urn:zitadel:iam:org:project:roles"
		foreign               = "urn:zitadel:iam:org:project:69629023906480000:roles"
	)
	return []ruleRow{
		{title: "a manager of acme"},
		{title: "and with acme named", org: acme},
		{title: "carol is not in acme", user: devidp.UserCarol, code: 5, id: "USER-35N8f"},
		{title: "nobody of that name", user: "nobody", code: 5, id: "USER-35N8f"},
		{title: "an organisation that is not registered", org: "1", code: 7, id: "AUTH-Bs7Ds"},
		{title: "no role in globex, whoever is asked for", org: globex, user: devidp.UserCarol, code: 5, id: "AUTHZ-cdgFk"},
		{title: "a role in globex too", change: claims{ours: roleIn("ORG_OWNER", acme, globex)}, org: globex, user: devidp.UserCarol},
		{title: "which does not move alice there", change: claims{ours: roleIn("ORG_OWNER", acme, globex)}, org: globex, code: 5, id: "USER-35N8f"},
		{title: "living in globex, manager of acme only", change: claims{homeClaim: globex}, code: 5, id: "AUTHZ-cdgFk"},
		{title: "the same with acme named", change: claims{homeClaim: globex}, org: acme},
		{title: "no organisation in the token", change: claims{homeClaim: nil}, code: 5, id: "AUTHZ-cdgFk"},
		{title: "the same with acme named", change: claims{homeClaim: nil}, org: acme},

		{title: "no role", change: claims{ours: nil}, code: 5, id: "AUTHZ-cdgFk"},
		{title: "a role that allows reading only", change: claims{ours: roleIn("ORG_OWNER_VIEWER", acme)}, code: 7, id: "AUTH-5mWD2"},
		{title: "a role that means nothing here", change: claims{ours: roleIn("ORG_SETTINGS_MANAGER", acme)}, code: 7, id: "AUTH-5mWD2"},
		{title: "a role in another case", change: claims{ours: roleIn("org_owner", acme)}, code: 7, id: "AUTH-5mWD2"},
		{title: "a role of a foreign project", change: claims{ours: nil, foreign: roleIn("ORG_OWNER", acme)}, code: 5, id: "AUTHZ-cdgFk"},
		{title: "a role in the claim of all projects", change: claims{ours: nil, unqualified: roleIn("ORG_OWNER", acme)}, code: 5, id: "AUTHZ-cdgFk"},
		{title: "a claim that ends alike", change: claims{ours: nil, "x" + ours: roleIn("ORG_OWNER", acme)}, code: 5, id: "AUTHZ-cdgFk"},
		{title: "instance-wide, granted in the instance organisation", change: claims{ours: roleIn("IAM_OWNER", acme)}, org: globex, user: devidp.UserCarol},
		{title: "instance-wide by name, granted in globex: not in acme", change: claims{ours: roleIn("IAM_OWNER", globex)}, code: 5, id: "AUTHZ-cdgFk"},
		{title: "nor in globex itself", change: claims{ours: roleIn("IAM_OWNER", globex)}, org: globex, user: devidp.UserCarol, code: 7, id: "AUTH-5mWD2"},
		{title: "instance-wide in the claim of all projects", change: claims{ours: nil, unqualified: roleIn("IAM_OWNER", acme)}, code: 5, id: "AUTHZ-cdgFk"},
		{title: "instance-wide does not register organisations", change: claims{ours: roleIn("IAM_OWNER", acme)}, org: initech, code: 7, id: "AUTH-Bs7Ds"},
	}
}

// rulesOfTokens are about the other claims.
func rulesOfTokens(p *faultyProvider, ours string, now int64) []ruleRow {
	return []ruleRow{
		{title: "inactive", change: claims{"active": false}, code: 16, id: "AUTH-7fs1e"},
		{title: "for another audience", change: claims{"aud": []string{"other", p.Audience + "0"}}, code: 16, id: "AUTH-7fs1e"},
		{title: "for ours among others", change: claims{"aud": []string{"other", p.Audience}}},
		{title: "no audience", change: claims{"aud": nil}, code: 16, id: "AUTH-7fs1e"},
		{title: "of another issuer", change: claims{"iss": p.Issuer + "/"}, code: 16, id: "AUTH-7fs1e"},
		{title: "without issuer", change: claims{"iss": nil}},
		{title: "ends this second", change: claims{"exp": now}, code: 16, id: "AUTH-7fs1e"},
		{title: "ends the next second", change: claims{"exp": now + 1}},
		{title: "without end", change: claims{"exp": nil}, code: 16, id: "AUTH-7fs1e"},
		{title: "begins in six seconds", change: claims{"nbf": now + 6}, code: 16, id: "AUTH-7fs1e"},
		{title: "begins in five seconds", change: claims{"nbf": now + 5}},
		{title: "without subject", change: claims{"sub": nil}, code: 16, id: "AUTH-7fs1e"},
		{title: "subject with a line break", change: claims{"sub": "1\n2"}, code: 16, id: "AUTH-7fs1e"},
		{title: "a personal access token", change: claims{"client_id": nil}, code: 16, id: "AUTH-7fs1e"},
		{title: "a refresh token", change: claims{"token_use": "refresh"}, code: 16, id: "AUTH-7fs1e"},
		{title: "an ID token", change: claims{"typ": "ID"}, code: 16, id: "AUTH-7fs1e"},
		{title: "bound to a key", change: claims{"cnf": map[string]string{"jkt": "x"}}, code: 16, id: "AUTH-7fs1e"},
		{title: "roles of the wrong shape are a provider out of order", change: claims{ours: []string{"ORG_OWNER"}}, code: 14},
	}
}

// The provider's answer about a token decides whose picture its bearer may delete, in every form. Every row changes one claim of a
// manager of acme, who may delete alice's picture.
func TestRulesEndToEnd(t *testing.T) {
	p := newProvider(t, nil)
	ours := "urn:zitadel:iam:org:project:" + p.Audience + ":roles"
	clock := clockAtNoon()
	now := clock.Now().Unix()
	dir := filepath.Join(t.TempDir(), "data")
	registerWithPicture(t, dir, p.Issuer, devidp.UserAlice)
	store := openStore(t, dir)
	if _, _, err := store.AddUser(t.Context(), storage.UserKey{Issuer: p.Issuer, ID: devidp.UserCarol}, devidp.OrgGlobex, admin.CommandLine); err != nil {
		t.Fatal(err)
	}
	store.Close()
	_, url := startServeAt(t, clock.Now, p.Settings(), dir, "--introspection-timeout", "30s", "--introspection-cache-ttl", "0",
		"--authz-instance-organisation", devidp.OrgAcme, "--authz-instance-roles", "IAM_OWNER=user.write,user.read")
	caller := newCaller(t, url)
	for _, row := range slices.Concat(rulesOfRoles(ours), rulesOfTokens(p, ours, now)) {
		said := claims{"active": true, "sub": managerID, "iss": p.Issuer, "aud": p.Audience, "client_id": "manager", "exp": now + 24*60*60,
			"nbf": now, "token_type": "Bearer", homeClaim: devidp.OrgAcme, ours: roleIn("ORG_USER_MANAGER", devidp.OrgAcme)}
		maps.Copy(said, row.change)
		maps.DeleteFunc(said, func(_ string, value any) bool { return value == nil })
		p.Misbehave("", p.asserts(said))
		user := row.user
		if user == "" {
			user = devidp.UserAlice
		}
		caller.organization = row.org
		for form, got := range caller.removeInAllForms(t, "any-token", user) {
			if got.Code != row.code || row.id != "" && !strings.HasSuffix(got.Message, " ("+row.id+")") {
				t.Errorf("%s, %s: code %v, %q, want %v %s", row.title, form, got.Code, got.Message, row.code, row.id)
			}
		}
	}
}
