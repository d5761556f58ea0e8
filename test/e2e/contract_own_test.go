package e2e

import (
	"net/http"
	"testing"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/server/picture"
)

// The three routes of one's own picture beside the delete, which more.json has.
func (c *contract) testOwn(t *testing.T) {
	const path = "/assets/v1/users/me/avatar"
	good := picture.Sample(9, 700)
	for _, f := range wireForms()[:2] {
		for _, row := range []struct {
			title, token, org string
			want              wanted
		}{
			{"no token", "", "", wanted{code: 16}},
			{"revoked token", "TOKEN_REVOKED", "", wanted{code: 16, id: "AUTH-7fs1e"}},
			{"revoked token, another organisation", "TOKEN_REVOKED", "ORG_GLOBEX", wanted{code: 16, id: "AUTH-7fs1e"}},
		} {
			var fields []wireField
			if row.token != "" {
				fields = append(fields, c.bearer(row.token))
			}
			if row.org != "" {
				fields = append(fields, wireField{"X-Zitadel-Orgid", c.variable(row.org)})
			}
			t.Run(f.name+" "+row.title, func(t *testing.T) {
				c.ask(t, f, wireRequest{method: http.MethodGet, path: path, fields: fields}, row.want)
				c.ask(t, f, uploadRequest(path, "file", good, fields...), row.want)
			})
		}
	}
	// A caller who was never registered has nothing to read or delete; the own upload registers.
	rest, nobody := wireForms()[0], []wireField{c.bearer("TOKEN_NOBODY")}
	unknown := wanted{code: 5, id: "USER-35N8f"}
	c.ask(t, rest, wireRequest{method: http.MethodGet, path: path, fields: nobody}, unknown)
	c.ask(t, rest, rest.request(question{own: true, fields: nobody}), unknown)
	c.ask(t, rest, uploadRequest(path, "file", []byte("no picture"), nobody...), wanted{code: 3})
	c.ask(t, rest, rest.request(question{own: true, fields: nobody}), unknown)
	up := c.ask(t, rest, uploadRequest(path, "file", good, nobody...), wanted{owner: c.variable("ORG_ACME")})
	if up.details.GetSequence() != 2 || up.fields.Get("X-Avatard-Receipt") != "" {
		t.Errorf("the first upload answers %v and receipt %q, want change 2 and none", up.details, up.fields.Get("X-Avatard-Receipt"))
	}
	removed := c.ask(t, rest, rest.request(question{own: true, fields: nobody}), wanted{owner: c.variable("ORG_ACME")})
	if removed.details.GetSequence() != 3 || removed.fields.Get("X-Avatard-Receipt") == "" {
		t.Errorf("the delete answers %v and receipt %q, want change 3 and one", removed.details, removed.fields.Get("X-Avatard-Receipt"))
	}
}

// globexAdminID is the machine of globex behind TOKEN_GLOBEX_ADMIN.
const globexAdminID = "150317214593155206"

// A token that names another organisation than the record reads and uploads nothing on the own routes, and erases in the
// organisation on record. Only people who run the server move users.
func (c *contract) testMoved(t *testing.T) {
	wantOutput(t, "user "+globexAdminID+" added\n", "user", "add", globexAdminID, "--org", c.variable("ORG_ACME"), "--data", c.data)
	token := []wireField{c.bearer("TOKEN_GLOBEX_ADMIN")}
	refused := wanted{code: 9}
	inEveryForm(t, wireForms(), func(t *testing.T, f wireForm) {
		removed := c.ask(t, f, f.request(question{own: true, fields: token}), wanted{owner: c.variable("ORG_ACME")})
		if removed.details.GetSequence() != 1 {
			t.Errorf("delete of no picture: details are %v, want those of the registration", removed.details)
		}
		if f.rest() {
			c.ask(t, f, wireRequest{method: http.MethodGet, path: "/assets/v1/users/me/avatar", fields: token}, refused)
			c.ask(t, f, uploadRequest("/assets/v1/users/me/avatar", "file", picture.Sample(3, 800), token...), refused)
		}
		// From outside it is a user of another organisation like any other.
		c.ask(t, f, f.request(question{user: globexAdminID, fields: token}), wanted{code: 5, id: "USER-35N8f"})
		v := c.ask(t, f, f.request(question{user: globexAdminID, fields: []wireField{c.bearer("TOKEN_ADMIN")}}), wanted{owner: c.variable("ORG_ACME")})
		if v.details.GetSequence() != 1 {
			t.Errorf("details are %v, want those of the registration", v.details)
		}
	})
	// The picture that an administrator set goes as well.
	rest, path := wireForms()[0], "/management/v1/users/"+globexAdminID+"/avatar"
	c.ask(t, rest, uploadRequest(path, "file", picture.Sample(3, 800), c.bearer("TOKEN_ADMIN")), wanted{owner: c.variable("ORG_ACME")})
	removed := c.ask(t, rest, rest.request(question{own: true, fields: token}), wanted{owner: c.variable("ORG_ACME")})
	if removed.details.GetSequence() != 3 || removed.fields.Get("X-Avatard-Receipt") == "" {
		t.Errorf("the delete answers %v and receipt %q, want change 3 and one", removed.details, removed.fields.Get("X-Avatard-Receipt"))
	}
	// Moved, the token's organisation is the right one again, for everything.
	wantOutput(t, "user "+globexAdminID+" moved\n", "user", "move", globexAdminID, "--org", c.variable("ORG_GLOBEX"), "--data", c.data)
	c.ask(t, rest, uploadRequest("/assets/v1/users/me/avatar", "file", picture.Sample(4, 800), token...), wanted{owner: c.variable("ORG_GLOBEX")})
	c.ask(t, rest, rest.request(question{user: globexAdminID, fields: []wireField{c.bearer("TOKEN_ADMIN")}}), wanted{code: 5, id: "USER-35N8f"})
	c.ask(t, rest, rest.request(question{own: true, fields: token}), wanted{owner: c.variable("ORG_GLOBEX")})
}

// Tokens that do not name the organisation of their owner come from callers who left out a scope. dev gives out
// none, so this asks serve.
func TestContractTokenWithoutOrganization(t *testing.T) {
	p := newProvider(t, nil)
	dir := t.TempDir()
	registerWithPicture(t, dir, p.Issuer, devidp.UserAlice, devidp.UserBob)
	_, url := startServe(t, p.Settings(), dir)
	c := &contract{wire: newWire(t, url[len("http://"):]), env: p.Settings()}
	homeless := func(subject string) wireField {
		token, err := p.Mint(devidp.TokenSpec{Subject: subject, Scopes: []string{"openid", devidp.ScopeAudience(p.Audience)}})
		if err != nil {
			t.Fatal(err)
		}
		return wireField{"Authorization", "Bearer " + token}
	}
	manager, alice := homeless(managerID), homeless(devidp.UserAlice)
	in := func(org string) wireField { return wireField{"X-Zitadel-Orgid", org} }
	const scope = devidp.ScopeOrganization
	none := wanted{code: 5, id: "AUTHZ-cdgFk", says: scope}
	inEveryForm(t, wireForms(), func(t *testing.T, f wireForm) {
		for _, row := range []struct {
			title string
			q     question
			want  wanted
		}{
			{"no header", question{user: devidp.UserBob, fields: []wireField{manager}}, none},
			{"no header, bad id", question{user: "", fields: []wireField{manager}}, none},
			{"a blank header", question{user: devidp.UserBob, fields: []wireField{manager, in(" ")}}, none},
			{"the header stands in", question{user: devidp.UserBob, fields: []wireField{manager, in(devidp.OrgAcme)}}, wanted{owner: devidp.OrgAcme}},
			{"an unknown organisation", question{user: devidp.UserBob, fields: []wireField{manager, in("1")}}, wanted{code: 7, id: "AUTH-Bs7Ds"}},
			{"one without a role", question{user: devidp.UserBob, fields: []wireField{alice, in(devidp.OrgAcme)}}, wanted{code: 5, id: "AUTHZ-cdgFk"}},
			{"own", question{own: true, fields: []wireField{alice}}, none},
			{"own: a header does not stand in", question{own: true, fields: []wireField{alice, in(devidp.OrgAcme)}}, none},
			{"own: nor does another one", question{own: true, fields: []wireField{alice, in("1")}}, none},
		} {
			t.Run(row.title, func(t *testing.T) { c.ask(t, f, f.request(row.q), row.want) })
		}
		if f.rest() {
			for _, fields := range [][]wireField{{alice}, {alice, in(devidp.OrgAcme)}} {
				c.ask(t, f, wireRequest{method: http.MethodGet, path: "/assets/v1/users/me/avatar", fields: fields}, none)
				c.ask(t, f, uploadRequest("/assets/v1/users/me/avatar", "file", picture.Sample(4, 800), fields...), none)
			}
		}
	})
	seen := c.send(t, 1, wireRequest{method: http.MethodGet, path: "/assets/v1/" + devidp.OrgAcme + "/users/" + devidp.UserAlice + "/avatar"})
	if seen.status != 200 {
		t.Errorf("alice's picture is answered with %d, want it untouched", seen.status)
	}
}
