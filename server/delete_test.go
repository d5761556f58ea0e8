package server

import (
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"example.org/avatard/server/picture"
	"example.org/avatard/test/client"
)

func bearer(token string, more ...string) []string {
	return append([]string{"Authorization", "Bearer " + token}, more...)
}

func TestDeleteInEveryForm(t *testing.T) {
	for _, form := range client.Forms() {
		t.Run(string(form), func(t *testing.T) {
			f := start(t, nil)
			first := f.remove(t, form, query{user: alice, headers: bearer("admin-token-1", "X-Request-Id", "my-request_1")})
			if first.Code != 0 || first.Details.GetResourceOwner() != acme || first.Details.GetSequence() != 3 {
				t.Fatalf("delete = %+v, want success, change 3 in %s", first, acme)
			}
			if f.has(t, alice, acme) {
				t.Error("the picture is still there")
			}
			if got := first.Header.Get("X-Request-Id"); got != "my-request_1" {
				t.Errorf("X-Request-Id = %q, want the caller's", got)
			}
			if first.Header.Get("X-Avatard-Receipt") == "" {
				t.Error("no receipt")
			}
			again := f.remove(t, form, query{user: alice, headers: bearer("admin-token-1", "X-Request-Id", "not good")})
			if diff := cmp.Diff(first.Details, again.Details, protocmp.Transform()); diff != "" || again.Code != 0 {
				t.Errorf("second delete: code %v, details differ (-first +second):\n%s", again.Code, diff)
			}
			if got := again.Header.Get("X-Request-Id"); got == "" || strings.Contains(got, " ") {
				t.Errorf("X-Request-Id = %q, want one of the server's", got)
			}
			other := f.remove(t, form, query{user: carol, headers: bearer("admin-token-1", "X-Zitadel-Orgid", " "+globex+" ")})
			if other.Code != 0 || other.Details.GetResourceOwner() != globex || f.has(t, carol, globex) {
				t.Errorf("delete in another organisation = %+v", other)
			}
			own := f.remove(t, form, query{own: true, headers: bearer("alice-token-1")})
			if diff := cmp.Diff(first.Details, own.Details, protocmp.Transform()); diff != "" {
				t.Errorf("delete of the own picture: code %v, details differ:\n%s", own.Code, diff)
			}
		})
	}
}

// refusal is one row of the contract's error table, as far as headers and ids decide it.
type refusal struct {
	title string
	query query
	code  connect.Code
	id    string
}

func refusalRows() []refusal {
	org := func(token string, orgs ...string) []string {
		headers := bearer(token)
		for _, o := range orgs {
			headers = append(headers, "X-Zitadel-Orgid", o)
		}
		return headers
	}
	return []refusal{
		{"no token", query{user: alice}, 16, ""},
		{"another scheme", query{user: alice, headers: []string{"Authorization", "Basic eDp5"}}, 16, "AUTH-toLo1"},
		{"unknown token", query{user: alice, headers: bearer("nonsense-1")}, 16, "AUTH-7fs1e"},
		{"unknown organisation", query{user: alice, headers: org("admin-token-1", "1")}, 7, "AUTH-Bs7Ds"},
		{"two organisations", query{user: alice, headers: org("admin-token-1", acme, globex)}, 7, "AUTH-Bs7Ds"},
		{"organisation before membership", query{user: alice, headers: org("nobody-token-1", "1")}, 7, "AUTH-Bs7Ds"},
		{"no organisation", query{user: alice, headers: org("homeless-token-1", " ")}, 5, "AUTHZ-cdgFk"},
		{"no role", query{user: alice, headers: org("nobody-token-1")}, 5, "AUTHZ-cdgFk"},
		{"role elsewhere", query{user: carol, headers: org("viewer-token-1", globex)}, 5, "AUTHZ-cdgFk"},
		{"role without the permission", query{user: alice, headers: org("viewer-token-1")}, 7, "AUTH-5mWD2"},
		{"permission before validation", query{user: strings.Repeat("x", 201), headers: org("viewer-token-1")}, 7, "AUTH-5mWD2"},
		{"empty id", query{user: "", headers: org("admin-token-1")}, 3, ""},
		{"long id", query{user: strings.Repeat("ü", 201), headers: org("admin-token-1")}, 3, ""},
		{"control character", query{user: "a\u0085b", headers: org("admin-token-1")}, 3, ""},
		{"unknown user", query{user: "zoë-😀/..", headers: org("admin-token-1")}, 5, "USER-35N8f"},
		{"longest id", query{user: strings.Repeat("ü", 200), headers: org("admin-token-1")}, 5, "USER-35N8f"},
		{"user of another organisation", query{user: carol, headers: org("admin-token-1", acme, acme, "")}, 5, "USER-35N8f"},
		{"own: no token", query{own: true}, 16, ""},
		{"own: no organisation in the token", query{own: true, headers: org("homeless-token-1", acme)}, 5, "AUTHZ-cdgFk"},
		{"own: no organisation in the token, whatever the header", query{own: true, headers: org("homeless-token-1", acme, "1")}, 5, "AUTHZ-cdgFk"},
		{"own: never registered", query{own: true, headers: org("new-token-1", acme)}, 5, "USER-35N8f"},
		{"own: never registered, and a header of another organisation", query{own: true, headers: org("new-token-1", globex)}, 5, "USER-35N8f"},
	}
}

func TestRefusalsInEveryForm(t *testing.T) {
	f := start(t, nil)
	for _, row := range refusalRows() {
		for _, form := range client.Forms() {
			t.Run(row.title+"/"+string(form), func(t *testing.T) {
				got := f.remove(t, form, row.query)
				if got.Code != row.code || got.Detail.GetId() != row.id {
					t.Errorf("code %v, id %q, message %q; want %v, %q", got.Code, got.Detail.GetId(), got.Message, row.code, row.id)
				}
				if row.query.user != "" && strings.Contains(got.Message, row.query.user) {
					t.Errorf("message %q repeats what was sent", got.Message)
				}
				if got.Header.Get("X-Request-Id") == "" {
					t.Error("no X-Request-Id")
				}
				challenge := got.Header.Get("WWW-Authenticate")
				wantChallenge := ""
				if row.code == connect.CodeUnauthenticated && form != client.GRPC && form != client.GRPCJSON {
					wantChallenge = `Bearer realm="avatard"`
					if row.id == "AUTH-7fs1e" {
						wantChallenge += `, error="invalid_token"`
					}
				}
				if challenge != wantChallenge {
					t.Errorf("WWW-Authenticate = %q, want %q", challenge, wantChallenge)
				}
			})
		}
	}
	if !f.has(t, alice, acme) || !f.has(t, carol, globex) {
		t.Error("a refused delete removed a picture")
	}
}

// A caller whose organisation changed at the provider erases in the organisation on record, also while the new one is not registered
// here. An upload stays refused, and the user is not moved.
func TestOwnDeleteAfterAMove(t *testing.T) {
	for _, form := range client.Forms() {
		t.Run(string(form), func(t *testing.T) {
			f := start(t, nil)
			for i, headers := range [][]string{
				bearer("moved-token-1"), bearer("moved-token-1", "X-Zitadel-Orgid", globex),
				bearer("elsewhere-token-1"), bearer("elsewhere-token-1", "X-Zitadel-Orgid", initech),
				bearer("moved-token-1", "X-Zitadel-Orgid", acme),
			} {
				f.give(t, alice, acme)
				got := f.remove(t, form, query{own: true, headers: headers})
				if got.Code != 0 || got.Details.GetResourceOwner() != acme || got.Header.Get("X-Avatard-Receipt") == "" {
					t.Errorf("headers %d: %+v, want success in %s with a receipt", i, got, acme)
				}
				if f.has(t, alice, acme) {
					t.Errorf("headers %d: the picture is still there", i)
				}
				if res, body := f.upload(t, "/assets/v1/users/me/avatar", headers[1][len("Bearer "):], picture.Sample(3, 900)); res.StatusCode != 400 {
					t.Errorf("upload: %d %s, want 400", res.StatusCode, body)
				}
			}
			if has, err := f.store.HasOrganization(t.Context(), initech); has || err != nil {
				t.Errorf("the token's organisation is registered: %v, %v", has, err)
			}
			if log := f.log.String(); !strings.Contains(log, "code=ok") || strings.Contains(log, "code=ok caller="+alice+" organisation="+globex) {
				t.Errorf("the log does not name the organisation acted on:\n%s", log)
			}
		})
	}
}

func TestOrganizationHeadersOfREST(t *testing.T) {
	f := start(t, nil)
	path := "/management/v1/users/" + carol + "/avatar"
	res, body := f.do(t, http.MethodDelete, path, nil,
		bearer("admin-token-1", "X-Zitadel-Orgid", globex, "Grpc-Metadata-X-Zitadel-Orgid", acme)...)
	if res.StatusCode != http.StatusForbidden || !strings.Contains(body, "AUTH-Bs7Ds") {
		t.Errorf("two organisations under two names: %d %s, want 403", res.StatusCode, body)
	}
	res, body = f.do(t, http.MethodDelete, path, nil, bearer("admin-token-1", "Grpc-Metadata-X-Zitadel-Orgid", globex)...)
	if res.StatusCode != http.StatusOK {
		t.Errorf("organisation under its REST name: %d %s, want 200", res.StatusCode, body)
	}
}
