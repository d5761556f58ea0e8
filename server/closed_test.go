package server

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/types/descriptorpb"

	"example.org/avatard/authz"
)

// openToEveryone lists every endpoint that needs no token. A new one fails the test until it is added here on purpose.
var openToEveryone = []string{
	"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch",
	"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
	"GET /healthz", "GET /readyz", "GET /openapi.json", "GET /openapi.yaml", "GET /api.binpb", "GET /api.zip", "GET /docs", "GET /callback", "GET /web/{file}",
}

// Every endpoint refuses callers without a token, in every form, except for those that are open to everyone.
func TestNothingIsOpenWithoutAToken(t *testing.T) {
	for _, public := range []bool{false, true} {
		f := start(t, func(c *Config) { c.PublicAssets = public })
		var open []string
		for name, e := range f.server.endpoints() {
			if e.rule.open || e.rule.public {
				open = append(open, name)
			}
		}
		want := openToEveryone
		if public {
			want = append(slices.Clone(want), "GET /assets/v1/{org_id}/users/{user_id}/avatar")
		}
		if diff := cmp.Diff(want, open, cmpopts.SortSlices(strings.Compare)); diff != "" {
			t.Errorf("open to everyone (-want +got):\n%s", diff)
		}
		for path := range f.server.procedures {
			if !slices.Contains(open, path) {
				refusesStrangers(t, f, path)
			}
		}
		for _, route := range f.server.routes {
			for method, e := range route.methods {
				path := strings.NewReplacer("{org_id}", acme, "{user_id}", alice).Replace(route.pattern)
				res, body := f.do(t, method, path, nil)
				refused := res.StatusCode == http.StatusUnauthorized && (method == http.MethodHead || strings.HasPrefix(body, `{"code":16,`))
				if refused == (e.rule.open || e.rule.public) {
					t.Errorf("%s %s: %d %s", method, path, res.StatusCode, body)
				}
			}
		}
	}
}

func refusesStrangers(t *testing.T, f *fixture, path string) {
	t.Helper()
	for _, media := range []string{"application/json", "application/proto", "application/grpc", "application/grpc+json",
		"application/grpc-web+proto", "application/grpc-web-text", "application/connect+json", "text/plain", ""} {
		res, body := f.do(t, http.MethodPost, path, strings.NewReader("{}"), "Content-Type", media)
		code := res.Header.Get("Grpc-Status") + res.Trailer.Get("Grpc-Status")
		inStream := strings.Contains(body, `"code":"unauthenticated"`) // connect streaming answers 200
		if res.StatusCode != http.StatusUnauthorized && code != "16" && !inStream {
			t.Errorf("%s as %q: status %d, grpc-status %q, body %q; want Unauthenticated", path, media, res.StatusCode, code, body)
		}
	}
}

// New refuses a server with an endpoint without a rule of access.
func TestEverythingNeedsARule(t *testing.T) {
	cfg := start(t, nil).server.config
	probe := plainRoute{http.MethodGet, "/assets/v1/{org_id}/users/{user_id}/sequence", func(http.ResponseWriter, *http.Request, []string) error { return nil }}
	rows := []struct {
		title, says string // says: part of the error, "" = none
		change      func(*surface)
	}{
		{"as it is", "", func(*surface) {}},
		{"a route without a rule", "GET " + probe.pattern + " has no rule", func(all *surface) { all.routes = append(all.routes, probe) }},
		{"a route for HEAD alone without a rule", "HEAD " + probe.pattern + " has no rule", func(all *surface) {
			all.routes = append(all.routes, plainRoute{http.MethodHead, probe.pattern, probe.serve})
		}},
		{"a route for HEAD, then for GET", "GET " + probe.pattern + " is served twice", func(all *surface) {
			all.routes = append(all.routes, plainRoute{http.MethodHead, probe.pattern, probe.serve}, probe)
		}},
		{"a route and its rule", "", func(all *surface) {
			all.routes = append(all.routes, probe)
			all.rules["GET "+probe.pattern] = accessRule{need: authz.UserRead}
		}},
		{"a rule of another path", "needs a path with two variables", func(all *surface) { all.rules["GET "+ownPicture] = accessRule{reader: true} }},
		{"a rule without an endpoint", "/no.such.Service/Call, which is not served", func(all *surface) {
			all.rules["/no.such.Service/Call"] = accessRule{self: true}
		}},
		{"a route twice", "GET /healthz is served twice", func(all *surface) { all.routes = append(all.routes, plainRoute{http.MethodGet, "/healthz", healthz}) }},
		{"two routes of one path", "some paths are both", func(all *surface) {
			all.routes = append(all.routes, plainRoute{http.MethodGet, "/assets/v1/{org_id}/users/me/avatar", probe.serve})
		}},
	}
	for name := range cfg.rules(t) {
		rows = append(rows, rows[0])
		row := &rows[len(rows)-1]
		row.title, row.says, row.change = "without that of "+name, name+" has no rule", func(all *surface) { delete(all.rules, name) }
	}
	for _, row := range rows {
		_, err := newServer(cfg, func(s *Server) surface {
			all := s.surface()
			row.change(&all)
			return all
		})
		if row.says == "" && err != nil || row.says != "" && (err == nil || !strings.Contains(err.Error(), row.says)) {
			t.Errorf("%s: error %v, want %q", row.title, err, row.says)
		}
	}
}

// A service cannot take the place of another one's procedure, nor of one of health.
func TestProceduresAreServedOnce(t *testing.T) {
	cfg := start(t, nil).server.config
	probe, health := withoutRoutes(t, probeFile), withoutRoutes(t, strings.NewReplacer("probe.v1", "grpc.health.v1", "ProbeService", "Health", "List", "Check").Replace(probeFile))
	for path, added := range map[string][]service{probeProcedure + "List": {probe, probe}, healthPath + "Check": {health}} {
		_, err := newServer(cfg, func(s *Server) surface {
			all := s.surface()
			all.services = append(all.services, added...)
			return all
		})
		if want := "the procedure " + path + " is served twice"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// withoutRoutes returns the service of a described file without REST routes.
func withoutRoutes(t *testing.T, described string) service {
	return probeService(t, nil, func(file *descriptorpb.FileDescriptorProto) {
		if err := prototext.Unmarshal([]byte(described), file); err != nil {
			t.Fatal(err)
		}
		for _, method := range file.GetService()[0].GetMethod() {
			method.Options = nil
		}
	})
}

// rules returns the rules of a server's own surface.
func (c Config) rules(t *testing.T) map[string]accessRule {
	t.Helper()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s.accessRules()
}

func TestRefusedBeforeTheBodyIsRead(t *testing.T) {
	f := start(t, nil)
	for _, route := range []string{
		"POST /zitadel.management.v1.ManagementService/RemoveHumanAvatar",
		"POST /assets/v1/users/me/avatar",
		"DELETE /management/v1/users/1/avatar",
	} {
		var dialer net.Dialer
		conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(f.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		// A body is announced and never sent.
		_, _ = fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n", route)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", route, err)
		}
		if res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: status %d, want 401", route, res.StatusCode)
		}
		_ = res.Body.Close()
		_ = conn.Close()
	}
}

func TestNewNamesEveryFault(t *testing.T) {
	if _, err := New(Config{Realm: `a"b`}); err == nil || strings.Count(err.Error(), "required") != 4 || !strings.Contains(err.Error(), "Realm") {
		t.Errorf("New without anything: %v, want all five faults", err)
	}
}
