package server

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// reports is an observer that passes on what it receives. A report may come a moment after its answer.
type reports chan CallReport

func (c reports) ObserveCall(r CallReport) { c <- r }

const meProcedure = "/zitadel.auth.v1.AuthService/RemoveMyAvatar"

func TestObserver(t *testing.T) {
	o := make(reports, 1)
	f := start(t, func(c *Config) { c.Observer = o })
	const (
		route = "/management/v1/users/" + alice + "/avatar"
		proto = "application/proto"
	)
	for _, tt := range []struct {
		title                     string
		method, path, media, body string
		token                     string
		procedure, form, code     string
	}{
		{"REST is told as the procedure behind it", "DELETE", route, "", "", "admin-token-1", removeProcedure, "rest", "ok"},
		{"another procedure", "DELETE", "/auth/v1/users/me/avatar", "", "", "alice-token-1", meProcedure, "rest", "ok"},
		{"a refusal has a code without id", "DELETE", route, "", "", "viewer-token-1", removeProcedure, "rest", "permission_denied"},
		{"no token", "DELETE", route, "", "", "", removeProcedure, "rest", "unauthenticated"},
		{"Connect", "POST", removeProcedure, "application/json", `{"userId":"` + alice + `"}`, "admin-token-1", removeProcedure, "connect", "ok"},
		{"Connect, a body that is none", "POST", removeProcedure, "application/json", `{`, "admin-token-1", removeProcedure, "connect", "http_400"},
		{"Connect, an unknown user", "POST", removeProcedure, proto, "\x0a\x01x", "admin-token-1", removeProcedure, "connect", "not_found"},
		{"an unknown media type", "POST", removeProcedure, "text/odd", "", "admin-token-1", removeProcedure, "connect", "http_415"},
		{"gRPC-Web", "POST", removeProcedure, "application/grpc-web", envelope(0, 20, "\x0a\x12"+alice), "admin-token-1", removeProcedure, "grpc-web", "ok"},
		{"gRPC-Web, a message that is none", "POST", removeProcedure, "application/grpc-web", envelope(0, 1, "\x0a"), "admin-token-1", removeProcedure, "grpc-web", "malformed"},
		{"gRPC-Web, an unknown user", "POST", removeProcedure, "application/grpc-web", envelope(0, 3, "\x0a\x01x"), "admin-token-1", removeProcedure, "grpc-web", "not_found"},
		{"gRPC over HTTP/1.1", "POST", removeProcedure, "application/grpc", envelope(0, 1, "\x0a"), "admin-token-1", removeProcedure, "grpc", "invalid_argument"},
		{"a picture route", "GET", "/assets/v1/users/me/avatar", "", "", "alice-token-1", "GET /assets/v1/users/me/avatar", "rest", "not_found"},
		{"a route without ids", "GET", "/assets/v1/o/users/u/avatar", "", "", "", "GET /assets/v1/{org_id}/users/{user_id}/avatar", "rest", "not_found"},
		{"another method on a route", "PUT", route, "", "", "", "/management/v1/users/{user_id}/avatar", "rest", "unimplemented"},
		{"an invented method on a route", "BREW", route, "", "", "", "/management/v1/users/{user_id}/avatar", "rest", "unimplemented"},
		{"GET on an RPC path", "GET", removeProcedure, "", "", "", removeProcedure, "http", "http_405"},
		{"an unknown procedure of ours", "POST", "/zitadel.auth.v1.AuthService/Invented", proto, "", "", "", "connect", "unimplemented"},
		{"an unknown procedure of nobody", "POST", "/x/y", "application/grpc", "", "", "", "grpc", "unimplemented"},
		{"no route", "GET", "/invented", "", "", "", "", "http", "not_found"},
		{"health", "GET", "/healthz", "", "", "", "GET /healthz", "rest", "ok"},
	} {
		var headers []string
		if tt.media != "" {
			headers = append(headers, "Content-Type", tt.media)
		}
		if tt.token != "" {
			headers = append(headers, "Authorization", "Bearer "+tt.token)
		}
		var body io.Reader
		if tt.body != "" {
			body = strings.NewReader(tt.body)
		}
		f.do(t, tt.method, tt.path, body, headers...)
		want := CallReport{Procedure: tt.procedure, Form: tt.form, Code: tt.code}
		if diff := cmp.Diff(want, <-o, cmpopts.IgnoreFields(CallReport{}, "Took")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.title, diff)
		}
	}
}

// The time is that of the configured clock.
func TestObserverTime(t *testing.T) {
	o := make(reports, 1)
	var mu sync.Mutex
	now := time.Unix(1683885731, 0)
	f := start(t, func(c *Config) {
		c.Observer = o
		c.Now = func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			now = now.Add(time.Second)
			return now
		}
	})
	f.do(t, http.MethodGet, "/healthz", nil)
	if got := (<-o).Took; got != time.Second {
		t.Errorf("took %v, want the one second between two looks at the clock", got)
	}
}
