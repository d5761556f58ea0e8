package metrics

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"example.org/avatard/authz"
	"example.org/avatard/server"
	"example.org/avatard/storage/embedded"
)

// tokens is an authenticator that knows one token.
type tokens struct{}

func (tokens) Authenticate(_ context.Context, header http.Header) (authz.Identity, error) {
	if header.Get("Authorization") != "Bearer good" {
		return authz.Identity{}, authz.ErrInvalidToken
	}
	return authz.Identity{Issuer: "test", Subject: "caller", Organization: "acme",
		Roles: map[string][]string{"ORG_OWNER": {"acme"}}}, nil
}

// newServer returns the product's handler on a real store, with m as its observer unless that is nil.
func newServer(t testing.TB, m *Metrics) http.Handler {
	t.Helper()
	store, err := embedded.Open(t.Context(), embedded.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	cfg := server.Config{Store: store, Issuer: "test", Authenticator: tokens{}, Permissions: authz.NewClaims(authz.DefaultPolicy()), PublicAssets: true}
	if m != nil {
		cfg.Observer = m
		m.RegisterStorage(store.Stats)
	}
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s.Handler()
}

const remove = "/zitadel.management.v1.ManagementService/RemoveHumanAvatar"

// oddRequests sends texts that no label may repeat. Every text with n in it is sent once in a test.
func oddRequests(h http.Handler, n int) {
	odd := fmt.Sprintf("odd%d", n)
	send := func(method, path, media, body string, headers ...string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Method, r.URL.Path, r.URL.RawQuery = method, path, odd
		for i := 0; i+1 < len(headers); i += 2 {
			r.Header.Add(headers[i], headers[i+1])
		}
		if media != "" {
			r.Header.Set("Content-Type", media)
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	for _, token := range []string{"good", odd} {
		auth := []string{"Authorization", "Bearer " + token, "X-Request-Id", odd, "X-Zitadel-Orgid", odd, "User-Agent", odd}
		for _, method := range []string{"GET", "POST", "DELETE", "PUT", "OPTIONS", strings.ToUpper(odd)} {
			for _, path := range []string{
				"/", "/" + odd, remove, remove + odd, remove + "/" + odd, "/zitadel.management.v1.ManagementService/" + odd, "/" + odd + ".v1.Service/Call",
				"/management/v1/users/" + odd + "/avatar", "/management/v1/users/" + odd + "/avatar/", "/auth/v1/users/me/avatar", "/assets/v1/users/me/avatar",
				"/assets/v1/" + odd + "/users/" + odd + "/avatar", "/assets/v1/\x00/users/\xff/avatar", "/healthz", "/healthz/" + odd, "/readyz", "//", "/..",
				"/grpc.health.v1.Health/Check", "/grpc.reflection.v1.ServerReflection/" + odd,
			} {
				for _, media := range []string{"", "application/json", "application/proto", "application/grpc", "application/grpc-web+proto",
					"application/grpc-web-text", "application/grpc+" + odd, "multipart/form-data", odd} {
					send(method, path, media, odd, auth...)
				}
			}
		}
		org := []string{"Authorization", "Bearer " + token, "Content-Encoding", odd, "Grpc-Encoding", odd, "Connect-Timeout-Ms", odd, "Grpc-Timeout", odd}
		send("POST", remove, "application/json", `{"userId":"`+odd+`"}`, org[:2]...)
		send("POST", remove, "application/json", `{"`+odd+`":1}`, org[:2]...)
		for i := 2; i < len(org); i += 2 {
			send("POST", remove, "application/grpc", "\x00\x00\x00\x00\x00", "Authorization", "Bearer "+token, org[i], org[i+1])
			send("POST", remove, "application/json", "{}", "Authorization", "Bearer "+token, org[i], org[i+1])
		}
	}
}

// No label takes a value from a request, and more requests with other values make no more series.
func TestLabelsAreBounded(t *testing.T) {
	m := New(Config{Version: "test"})
	h := newServer(t, m)
	oddRequests(h, 1)
	first := series(t, m)
	for n := 2; n < 5; n++ {
		oddRequests(h, n)
	}
	again := series(t, m)
	if len(first) < 50 {
		t.Fatalf("only %d series: the requests did not get far", len(first))
	}
	for _, name := range again {
		if !slices.Contains(first, name) {
			t.Errorf("more requests made a new series: %s", name)
		}
		if strings.Contains(strings.ToLower(name), "odd") {
			t.Errorf("a label repeats what was sent: %s", name)
		}
	}
}

// The labels of calls are from the sets that the documentation names.
func TestLabelsOfCalls(t *testing.T) {
	codes := []string{"ok", "malformed"}
	for code := connect.CodeCanceled; code <= connect.CodeUnauthenticated; code++ {
		codes = append(codes, code.String())
	}
	known := map[string]*regexp.Regexp{
		"procedure": regexp.MustCompile(`^(|/(zitadel|grpc)\.[a-z0-9.]+\.[A-Z][A-Za-z0-9]+/[A-Z][A-Za-z]+|((GET|HEAD|POST|DELETE) )?/[a-z0-9{}/_]+)$`),
		"form":      regexp.MustCompile(`^(connect|grpc|grpc-web|grpc-web-text|rest|http)$`),
		"code":      regexp.MustCompile(`^(` + strings.Join(codes, "|") + `|http_4\d\d)$`),
	}
	m := New(Config{Version: "test"})
	oddRequests(newServer(t, m), 1)
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "avatard_call") {
			continue
		}
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				seen++
				if set := known[label.GetName()]; set == nil || !set.MatchString(label.GetValue()) {
					t.Errorf("%s{%s=%q} is not in the documented set", family.GetName(), label.GetName(), label.GetValue())
				}
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d labels", seen)
	}
}

// series returns the names, with labels, of our own series.
func series(t *testing.T, m *Metrics) (names []string) {
	for _, line := range scrape(t, m) {
		names = append(names, line[:strings.LastIndexByte(line, ' ')])
	}
	return names
}
