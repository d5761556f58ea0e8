package server

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	authv1 "avatard/gen/zitadel/auth/v1"
	managementv1 "avatard/gen/zitadel/management/v1"
)

var apiFiles = []protoreflect.FileDescriptor{
	managementv1.File_zitadel_management_v1_management_proto,
	authv1.File_zitadel_auth_v1_auth_proto,
}

func TestNothingIsOpenWithoutAToken(t *testing.T) {
	f := start(t, func(c *Config) { c.PublicAssets = false })
	routes := []string{
		"POST /assets/v1/users/me/avatar", "POST /management/v1/users/" + alice + "/avatar",
		"GET /assets/v1/users/me/avatar", "GET /assets/v1/" + acme + "/users/" + alice + "/avatar",
	}
	types := []string{"application/json", "application/proto", "application/grpc", "application/grpc+json",
		"application/grpc-web+proto", "application/grpc-web-text", "application/connect+json", "text/plain", ""}
	count := 0
	for method := range methodsOf(apiFiles) {
		count++
		path := "/" + string(method.Parent().FullName()) + "/" + string(method.Name())
		for _, media := range types {
			res, body := f.do(t, http.MethodPost, path, strings.NewReader("{}"), "Content-Type", media)
			code := res.Header.Get("Grpc-Status") + res.Trailer.Get("Grpc-Status")
			inStream := strings.Contains(body, `"code":"unauthenticated"`) // connect streaming answers 200
			if res.StatusCode != http.StatusUnauthorized && code != "16" && !inStream {
				t.Errorf("%s as %q: status %d, grpc-status %q, body %q; want Unauthenticated", path, media, res.StatusCode, code, body)
			}
		}
		rule := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
		verb, pattern := verbAndPattern(rule)
		routes = append(routes, verb+" "+strings.ReplaceAll(pattern, "{user_id}", alice))
	}
	if count < 2 {
		t.Errorf("walked %d procedures, want 2 or more", count)
	}
	for _, route := range routes {
		verb, path, _ := strings.Cut(route, " ")
		if res, body := f.do(t, verb, path, nil); res.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(body, `{"code":16,`) {
			t.Errorf("%s: %d %s, want 401", route, res.StatusCode, body)
		}
	}
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

func TestEveryProcedureNeedsARule(t *testing.T) {
	f := start(t, nil)
	for path := range accessTable() {
		rules := accessTable()
		delete(rules, path)
		s := &Server{config: f.server.config, procedures: make(map[string]procedure)}
		if err := s.mountRPC(rules); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("without a rule for %s: error %v, want one that names it", path, err)
		}
	}
	rules := accessTable()
	rules["/no.such.Service/Call"] = access{own: true}
	if err := (&Server{config: f.server.config, procedures: make(map[string]procedure)}).mountRPC(rules); err == nil {
		t.Error("a rule for an unknown procedure is accepted")
	}
	if _, err := New(Config{Realm: `a"b`}); err == nil || strings.Count(err.Error(), "required") != 4 || !strings.Contains(err.Error(), "Realm") {
		t.Errorf("New without anything: %v, want all five faults", err)
	}
}
