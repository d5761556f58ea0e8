package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Ids that a data file cannot hold, and ids that people who are registered have.
func (c *contract) testIDs(t *testing.T) {
	admin := c.bearer("TOKEN_ADMIN")
	t.Run("not UTF-8", func(t *testing.T) {
		inEveryForm(t, rpcForms(), func(t *testing.T, f wireForm) {
			message := userField("a\xffb")
			if f.json() {
				message = []byte("{\"userId\":\"a\xffb\"}")
			}
			c.ask(t, f, f.request(question{message: message, fields: []wireField{admin}}), wanted{code: 3})
			c.ask(t, f, f.request(question{message: message, fields: []wireField{c.bearer("TOKEN_VIEWER")}}), wanted{code: 7, id: "AUTH-5mWD2"})
		})
	})
	t.Run("rules are named", func(t *testing.T) {
		inEveryForm(t, wireForms(), func(t *testing.T, f wireForm) {
			for _, id := range []string{"", strings.Repeat("x", 201), "a\x00b"} {
				v := c.ask(t, f, f.request(question{user: id, fields: []wireField{admin}}), wanted{code: 3})
				if !slices.Equal(v.types, []string{"buf.validate.Violations"}) {
					t.Errorf("id %q: details are of the types %q, want the violations", id, v.types)
				}
			}
		})
	})
	t.Run("registered", func(t *testing.T) {
		const composed, decomposed = "zo\u00eb", "zoe\u0308"
		for _, id := range []string{"..", ".", "a/b", "%31", " x ", "?#;+&", composed} {
			wantOutput(t, "user "+id+" added\n", "user", "add", id, "--org", c.variable("ORG_ACME"), "--data", c.data)
			inEveryForm(t, wireForms(), func(t *testing.T, f wireForm) {
				v := c.ask(t, f, f.request(question{user: id, fields: []wireField{admin}}), wanted{owner: c.variable("ORG_ACME")})
				if v.details.GetSequence() != 1 {
					t.Errorf("%q: details are %v, want those of a registration", id, v.details)
				}
			})
		}
		inEveryForm(t, wireForms(), func(t *testing.T, f wireForm) {
			for _, id := range []string{"x", "1", "ZO\u00cb", decomposed} {
				c.ask(t, f, f.request(question{user: id, fields: []wireField{admin}}), wanted{code: 5, id: "USER-35N8f"})
			}
		})
	})
}

// oddPaths name nothing. Some would name something after cleaning, which nobody does here.
func oddPaths(c *contract) []string {
	bob := c.variable("USER_BOB")
	return []string{
		"/", "/management", "/management/v1/users", "/management/v1/users/", "/management/v1/users/" + bob,
		"/management/v1/users/" + bob + "/avatar/", "/management/v1/users/" + bob + "/avatar//", "/management/v1/users/" + bob + "//avatar",
		"/management/v1/users/x/../" + bob + "/avatar", "/management/v1/users/" + bob + "/avatar/..", "/management/v1/users/" + bob + "/./avatar",
		"/management/v1/users/a/b/avatar", "//management/v1/users/" + bob + "/avatar", "/management//v1/users/" + bob + "/avatar",
		"/./management/v1/users/" + bob + "/avatar", "/x/../management/v1/users/" + bob + "/avatar",
		"/MANAGEMENT/v1/users/" + bob + "/avatar", "/management/V1/users/" + bob + "/avatar", "/management/v1/users/" + bob + "/Avatar",
		"/management/v1/users/" + bob + "%2Favatar", "/management%2Fv1/users/" + bob + "/avatar", "/v1/users/" + bob + "/avatar",
		"/management/v1/users/" + bob + "/avatar%20", "/management/v1/users/" + bob + "/avatar;x", "/management/v2/users/" + bob + "/avatar",
		"/auth/v1/users/" + bob + "/avatar", "/auth/v1/users/me", "/auth/v1/users/me/avatar/x", "/auth/v1/users/ME/avatar",
		"/assets/v1/users/me", "/assets/v1/users/" + bob + "/avatar", "/assets/v1/users/me//avatar", "/assets/v1/users//avatar",
		"/assets/v1/a/b/users/" + bob + "/avatar", "/assets/v1/users/me/avatar/", "/assets/v1/../v1/users/me/avatar",
		"/m%61nagement/v1/users/" + bob + "/avatar", "/management/%76%31/users/" + bob + "/avatar", "/management/v1/users/" + bob + "/avata%72",
		"/auth/v1/users/m%65/avatar", "/%61uth/v1/users/me/avatar", "/assets/v1/users/%6De/avatar", "/a%73sets/v1/" + c.variable("ORG_ACME") + "/users/" + bob + "/avatar",
		"/he%61lthz", "/%72eadyz", "/%69dp/.well-known/openid-configuration", "/idp/%2ewell-known/openid-configuration",
		"/zitadel.management.v1.ManagementService%2FRemoveHumanAvatar",
		"/healthz/", "//healthz", "/readyz/x", "/idp/", "/idp", "/favicon.ico", "/zitadel.management.v1.ManagementService",
		"/ZITADEL.management.v1.ManagementService/RemoveHumanAvatar", "/zitadel.management.v1.managementservice/RemoveHumanAvatar",
	}
}

// A path without a route is 404 in place, whatever the method, with a token or without: never a redirect, which a
// client would follow to another operation.
func (c *contract) testPaths(t *testing.T) {
	for _, f := range wireForms()[:2] {
		for _, path := range oddPaths(c) {
			if strings.HasPrefix(path, "/idp") || strings.HasPrefix(path, "/%69dp") { // the provider's own, which has to keep to this as well
				if a := c.send(t, f.version, wireRequest{method: http.MethodGet, path: path}); a.status != 404 || a.header.Get("Location") != "" {
					t.Errorf("%s GET %s = %d to %q, want 404", f.name, path, a.status, a.header.Get("Location"))
				}
				continue
			}
			for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPost, http.MethodPut, http.MethodOptions} {
				if path == "/" && method == http.MethodGet { // the page for people; any other method finds nothing there
					continue
				}
				for _, fields := range [][]wireField{nil, {c.bearer("TOKEN_ADMIN")}} {
					t.Run(fmt.Sprintf("%s %s %s", f.name, method, path), func(t *testing.T) {
						c.ask(t, f, wireRequest{method: method, path: path, fields: fields}, wanted{code: 5})
					})
				}
			}
		}
	}
}

// The methods that a route has are in its Allow header.
func (c *contract) testMethods(t *testing.T) {
	alice := c.variable("USER_ALICE")
	for _, route := range []struct{ path, allow string }{
		{"/management/v1/users/" + alice + "/avatar", "DELETE, POST"},
		{"/management/v1/users/no-such-user/avatar", "DELETE, POST"},
		{"/auth/v1/users/me/avatar", "DELETE"},
		{"/assets/v1/users/me/avatar", "GET, HEAD, POST"},
		{c.picturePath("USER_ALICE"), "GET, HEAD"},
		{"/healthz", "GET, HEAD"},
		{"/readyz", "GET, HEAD"},
	} {
		for _, f := range wireForms()[:2] {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"} {
				if slices.Contains(strings.Split(route.allow, ", "), method) {
					continue
				}
				t.Run(fmt.Sprintf("%s %s %s", f.name, method, route.path), func(t *testing.T) {
					req := wireRequest{method: method, path: route.path}
					if method == http.MethodHead {
						if a := c.send(t, f.version, req); a.status != 405 || a.header.Get("Allow") != route.allow || len(a.body) > 0 {
							t.Errorf("%d, Allow %q, %d bytes; want 405, %q, none", a.status, a.header.Get("Allow"), len(a.body), route.allow)
						}
						return
					}
					c.ask(t, f, req, wanted{code: 12, status: 405, allow: route.allow})
				})
			}
		}
	}
}

// A browser asks first. The order and the case of the headers it asks for are its own business.
func (c *contract) testPreflight(t *testing.T) {
	const origin = "http://localhost:5173"
	for _, row := range []struct{ title, path, method, headers string }{
		{"REST", "/management/v1/users/" + c.variable("USER_ALICE") + "/avatar", "DELETE", "authorization,x-zitadel-orgid"},
		{"REST, other order and case", "/management/v1/users/" + c.variable("USER_ALICE") + "/avatar", "DELETE", "X-Zitadel-OrgID, Authorization"},
		{"upload", "/assets/v1/users/me/avatar", "POST", "content-type, AUTHORIZATION"},
		{"Connect", removeHuman, "POST", "x-zitadel-orgid,content-type,connect-protocol-version,authorization,connect-timeout-ms"},
		{"gRPC-Web", removeHuman, "POST", "X-User-Agent,X-Grpc-Web,grpc-timeout,content-type,authorization"},
	} {
		for version := 1; version <= 2; version++ {
			a := c.send(t, version, wireRequest{method: http.MethodOptions, path: row.path, fields: []wireField{{"Origin", origin},
				{"Access-Control-Request-Method", row.method}, {"Access-Control-Request-Headers", row.headers}}})
			if a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != origin || a.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s: %d %v, want leave for %s", row.title, a.status, a.header, origin)
			}
			if !slices.Contains(listed(a.header.Get("Access-Control-Allow-Methods")), strings.ToLower(row.method)) {
				t.Errorf("%s: methods are %q, want %s among them", row.title, a.header.Get("Access-Control-Allow-Methods"), row.method)
			}
			allowed := listed(a.header.Get("Access-Control-Allow-Headers"))
			for _, name := range listed(row.headers) {
				if !slices.Contains(allowed, name) {
					t.Errorf("%s: headers are %q, want %s among them", row.title, allowed, name)
				}
			}
		}
		a := c.send(t, 1, wireRequest{method: http.MethodOptions, path: row.path, fields: []wireField{{"Origin", "null"},
			{"Access-Control-Request-Method", row.method}}})
		if a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != "" || a.header.Get("Access-Control-Allow-Methods") != "" {
			t.Errorf("%s, origin null: %d, %v; want 204 without leave", row.title, a.status, a.header)
		}
	}
	inEveryForm(t, wireForms(), func(t *testing.T, f wireForm) {
		v := c.ask(t, f, f.request(question{user: "x", fields: []wireField{{"Origin", origin}}}), wanted{code: 16})
		exposed := listed(v.header.Get("Access-Control-Expose-Headers"))
		for _, name := range []string{"www-authenticate", "retry-after", "x-request-id", "x-avatard-receipt"} {
			if !slices.Contains(exposed, name) {
				t.Errorf("a page sees %q, want %s among them", exposed, name)
			}
		}
	})
}

// listed returns the elements of a list in a header, in lower case.
func listed(value string) []string {
	elements := strings.Split(strings.ToLower(value), ",")
	for i := range elements {
		elements[i] = strings.TrimSpace(elements[i])
	}
	return elements
}
