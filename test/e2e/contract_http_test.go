package e2e

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What HTTP itself refuses, and that nothing comes of it.
func (c *contract) testTransport(t *testing.T) {
	seen := c.give(t, "USER_ALICE")
	path := "/management/v1/users/" + c.variable("USER_ALICE") + "/avatar"
	padded := func(bytes int) wireRequest {
		return wireRequest{method: http.MethodDelete, path: path,
			fields: []wireField{c.bearer("TOKEN_ADMIN"), {"X-Padding", strings.Repeat("x", bytes)}}}
	}
	const limit = 64 << 10
	for _, req := range []wireRequest{padded(limit), padded(limit + 5<<10), padded(1 << 20)} {
		size := len(req.fields[1].value)
		if a, err := c.exchange(t.Context(), 1, req); err != nil || a.status != 431 || strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
			t.Errorf("HTTP/1.1, a header of %d bytes: %d, %v; want 431 that is no JSON", size, a.status, err)
		}
		if status, ended, err := c.exchangeFrames(t.Context(), req); err != nil || status != 431 && !strings.HasPrefix(ended, "GOAWAY") {
			t.Errorf("HTTP/2, a header of %d bytes: %d %s, %v; want 431 or GOAWAY", size, status, ended, err)
		}
	}
	for _, odd := range []string{"%", "%zz", "%4", "%%", "%u0041", "x%2"} {
		req := wireRequest{method: http.MethodDelete, path: "/management/v1/users/" + odd + "/avatar", fields: []wireField{c.bearer("TOKEN_ADMIN")}}
		if a, err := c.exchange(t.Context(), 1, req); err != nil || a.status != 400 || strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
			t.Errorf("HTTP/1.1, path with %q: %d %v, %v; want 400 that is no JSON", odd, a.status, a.header, err)
		}
		// net/http calls the request malformed before anybody is asked, and ends its stream (RFC 9113 section 8.1.1).
		if status, ended, err := c.exchangeFrames(t.Context(), req); err != nil || status != 400 && ended != "RST_STREAM PROTOCOL_ERROR" {
			t.Errorf("HTTP/2, path with %q: %d %s, %v; want 400 or the end of the stream", odd, status, ended, err)
		}
	}
	c.wantKept(t, "USER_ALICE", seen)
	// Just below the limit is fine: tokens with many roles are long.
	inEveryForm(t, wireForms(), func(t *testing.T, f wireForm) {
		fields := []wireField{c.bearer("TOKEN_ADMIN"), {"X-Padding", strings.Repeat("x", limit-2<<10)}}
		c.ask(t, f, f.request(question{user: c.variable("USER_BOB"), fields: fields}), wanted{})
	})
}

// The headers of a success are these and no others, and ids of requests are taken over where they do no harm.
func (c *contract) testHeaders(t *testing.T) {
	rest := wireForms()[0]
	c.give(t, "USER_ALICE")
	q := question{user: c.variable("USER_ALICE"), fields: []wireField{c.bearer("TOKEN_ADMIN")}}
	v := c.ask(t, rest, rest.request(q), wanted{})
	want := []string{"Cache-Control", "Content-Length", "Content-Type", "Date", "Vary", "X-Avatard-Receipt", "X-Content-Type-Options", "X-Request-Id"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(v.header))); diff != "" {
		t.Errorf("headers of a success (-want +got):\n%s", diff)
	}
	if v.header.Get("Vary") != "Origin" {
		t.Errorf("Vary is %q, want Origin", v.header.Get("Vary"))
	}
	for id, taken := range map[string]bool{
		"a": true, "Az09_-": true, strings.Repeat("x", 64): true,
		strings.Repeat("x", 65): false, "": false, "a b": false, "a,b": false, "a.b": false, "\u00e9": false, "<x>": false,
	} {
		inEveryForm(t, wireForms(), func(t *testing.T, f wireForm) {
			for _, token := range []string{"TOKEN_ADMIN", "TOKEN_EXPIRED"} {
				want := wanted{}
				if token == "TOKEN_EXPIRED" {
					want = wanted{code: 16, id: "AUTH-7fs1e"}
				}
				q := question{user: c.variable("USER_BOB"), fields: []wireField{c.bearer(token), {"X-Request-Id", id}}}
				v := c.ask(t, f, f.request(q), want)
				if got := v.header.Values("X-Request-Id"); len(got) != 1 || (got[0] == id) != taken {
					t.Errorf("X-Request-Id is %q for %q, want it taken over: %v", got, id, taken)
				}
			}
		})
	}
}
