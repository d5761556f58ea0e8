//go:build linux

package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/test/docpage"
)

// besideZitadel is the file with which the page "in front of ZITADEL" is proved.
var besideZitadel = proxySetup{"nginx, HTTP/2", "nginx", "zitadel.conf"}

func TestZitadelPageShowsTheFile(t *testing.T) {
	docpage.Check(t, "docs/in-front-of-zitadel.md", map[string]string{
		besideZitadel.file: "```\n" + string(readFile(t, "test/e2e/testdata/proxies/"+besideZitadel.file)) + "```\n"})
}

// Behind one host name calls on avatars reach avatard, as they were sent, and everything else reaches what stands in ZITADEL's place.
func TestBesideZitadel(t *testing.T) {
	Program(t, besideZitadel.program)
	other := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Served-By", "zitadel")
		w.Header().Set("X-Host", r.Host)
		w.WriteHeader(http.StatusTeapot)
	}))
	other.Config.Protocols = new(http.Protocols)
	other.Config.Protocols.SetUnencryptedHTTP2(true)
	other.Start()
	t.Cleanup(other.Close)
	m := startProxiedBeside(t, besideZitadel, other.Listener.Addr().String(), devidp.UserAlice, slashed)

	for _, f := range wireForms() {
		if f.version == 2 || f.rest() { // in the others the front speaks HTTP/2 all the same
			m.ask(t, f, f.request(question{user: devidp.UserAlice, fields: []wireField{m.bearer()}}), wanted{owner: devidp.OrgAcme})
		}
	}
	ours := []string{"/auth/v1/users/me/avatar", "/assets/v1/users/me/avatar", "/assets/v1/users/me/avatar?size=64", portrait("a%2Fb%20c"), portrait(devidp.UserAlice) + "?x=/y", picturePath(devidp.UserAlice),
		"/avatard/v1/users/a%2Fb", "/avatard/v1/receipts?userId=a", "/avatard.v1.ErasureService/EraseUser", "/avatard.v1.UserService/ListUsers", "/hooks/accounts"}
	others := []string{
		"/", "/ui/login", "/oauth/v2/introspect", "/.well-known/openid-configuration", "/auth/v1/users/me", "/auth/v1/permissions/zitadel/me/_search",
		"/management/v1/users/" + devidp.UserAlice, "/management/v1/users/a/b/avatar", portrait(devidp.UserAlice) + "/", portrait(""), "/x" + portrait("a"),
		"/assets/v1/org/policy/label/logo", "/assets/v1/users/me/avatars", "/zitadel.management.v1.ManagementService/ListUsers",
		"/zitadel.auth.v1.AuthService/GetMyUser", "/zitadel.management.v1.ManagementService/RemoveHumanAvatarX", "/v2/users",
		"/avatard/v2/users", "/avatard.v2.UserService/ListUsers", "/hooks", "/x/hooks/accounts",
	}
	for version := 1; version <= 2; version++ {
		for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPost} {
			for _, path := range ours {
				before := m.arrived()
				a := m.send(t, version, wireRequest{method: method, path: path})
				if now := m.arrived(); a.header.Get("X-Served-By") != "" || now == before || now.RequestURI != path {
					t.Errorf("HTTP/%d %s %s did not reach avatard as it was sent: %d, arrived %q", version, method, path, a.status, now.RequestURI)
				}
			}
			for _, path := range others {
				a := m.send(t, version, wireRequest{method: method, path: path})
				if a.status != http.StatusTeapot || !strings.HasPrefix(a.header.Get("X-Host"), "127.0.0.1") {
					t.Errorf("HTTP/%d %s %s: %d with Host %q, want that of ZITADEL", version, method, path, a.status, a.header.Get("X-Host"))
				}
			}
		}
	}
}
