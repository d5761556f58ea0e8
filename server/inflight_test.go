package server

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/net/http2"

	"example.org/avatard/authz"
	"example.org/avatard/authz/limit"
	"example.org/avatard/storage"
	"example.org/avatard/test/client"
)

func TestInFlight(t *testing.T) {
	one, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	f := newInFlight(3, 2, DefaultHeaderBytes)
	for i, row := range []struct {
		from   netip.Addr
		header int
		over   shedReason
		ok     bool
	}{
		{one, 100, 0, true},
		{one, f.each.header, shedHeaders, false},
		{one, f.each.header - 100, 0, true},
		{one, 0, shedRequestsOfAddress, false},
		{other, f.max.header - f.each.header + 1, shedHeaders, false},
		{other, 0, 0, true},
		{other, 0, shedRequests, false},
	} {
		if over, ok := f.enter(row.from, row.header); ok != row.ok || over != row.over {
			t.Errorf("step %d: %v, %s, want %v, %s", i, ok, shedReasonNames[over], row.ok, shedReasonNames[row.over])
		}
	}
	f.leave(one, 100)
	if _, ok := f.enter(other, 100); !ok {
		t.Error("no room where one has left")
	}
	f.leave(one, f.each.header-100)
	f.leave(other, 100)
	f.leave(other, 0)
	if len(f.of) != 0 || f.all != (load{}) {
		t.Errorf("%v and %v are left of nobody", f.of, f.all)
	}
}

// wellStore is a store that is ready and can do nothing else.
type wellStore struct{ storage.Store }

func (wellStore) Ready(context.Context) error { return nil }

// inBubble runs a test against a Server that speaks HTTP/2 on the fake clock.
func inBubble(t *testing.T, test func(*testing.T, *frameServer, *Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server, err := New(Config{Store: wellStore{}, Issuer: issuer, Authenticator: tokens(people()), Permissions: authz.NewClaims(authz.DefaultPolicy())})
		if err != nil {
			t.Fatal(err)
		}
		test(t, serveFrames(t, server.Handler().ServeHTTP, false), server)
	})
}

// A request over the bound of those in flight is refused in the words of its form. Other requests are not affected, and once some have
// ended new ones are taken.
func TestRequestsInFlightAreBounded(t *testing.T) {
	from := "192.0.2.1"
	f := start(t, func(c *Config) {
		c.MaxRequests, c.MaxRequestsPerAddress = 3, 2
		c.ClientAddress = func(*http.Request) string { return from }
	})
	held := func(n int) (release func()) {
		for range n {
			if _, ok := f.server.calls.enter(limit.Address("192.0.2.1"), 0); !ok {
				t.Fatal("no place")
			}
		}
		return func() {
			for range n {
				f.server.calls.leave(limit.Address("192.0.2.1"), 0)
			}
		}
	}
	release := held(2)
	for _, form := range client.Forms() {
		got := f.remove(t, form, query{user: alice, headers: bearer("admin-token-1")})
		if got.Code != connect.CodeUnavailable || retryAfter(got) != "1" || got.Detail.GetId() != "" {
			t.Errorf("%s over the bound: code %v, id %q, Retry-After %q, want unavailable and 1", form, got.Code, got.Detail.GetId(), retryAfter(got))
		}
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/nowhere": 503} {
		if res, _ := f.do(t, http.MethodGet, path, nil); res.StatusCode != want {
			t.Errorf("%s over the bound: %d, want %d", path, res.StatusCode, want)
		}
	}
	from = "192.0.2.2"
	for _, form := range client.Forms() {
		if got := f.remove(t, form, query{user: bob, headers: bearer("admin-token-1")}); got.Code != 0 {
			t.Errorf("%s from another address: %v %s", form, got.Code, got.Message)
		}
	}
	from = "192.0.2.1"
	release()
	for _, form := range client.Forms() {
		if got := f.remove(t, form, query{user: bob, headers: bearer("admin-token-1")}); got.Code != 0 {
			t.Errorf("%s once there is room: %v %s", form, got.Code, got.Message)
		}
	}
	if n := f.server.calls.requests() + f.server.openCalls.requests(); n != 0 {
		t.Errorf("%d requests are counted, want none", n)
	}
	load := f.server.Load()
	if want := uint64(len(client.Forms()) + 1); load.Refused["requests_address"] != want {
		t.Errorf("%d were counted as refused, want %d", load.Refused["requests_address"], want)
	}
	if lines := strings.Count(f.log.String(), "turned away"); lines != 1 {
		t.Errorf("the log has %d lines about it, want one a minute", lines)
	}
}

// A refusal keeps no part of the request in memory, and reads no body.
func TestRefusedRequestsKeepNothing(t *testing.T) {
	f := start(t, func(c *Config) { c.MaxRequests = 1 })
	if _, ok := f.server.calls.enter(netip.MustParseAddr("192.0.2.9"), 0); !ok {
		t.Fatal("no place")
	}
	body := &closedBody{Reader: strings.NewReader("x")}
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, removeProcedure+"?"+strings.Repeat("x", 1000), body)
	req.ProtoMajor, req.ContentLength = 2, 1
	req.Header = http.Header{"Content-Type": {"application/grpc"}, "Authorization": {"Bearer admin-token-1"}, "Long": {strings.Repeat("x", 50_000)}}
	req.Trailer = http.Header{"X": nil}
	rec := httptest.NewRecorder()
	f.server.Handler().ServeHTTP(rec, req)
	if rec.Header().Get("Grpc-Status") != "14" && rec.Result().Trailer.Get("Grpc-Status") != "14" {
		t.Errorf("answer %v", rec.Header())
	}
	if _, size := headerSize(req); size > 100 || len(req.Trailer) > 0 || req.URL.RawQuery != "" || !body.closed {
		t.Errorf("%d bytes of %v %v %v are left, the body is closed: %v", size, req.Header, req.URL, req.Trailer, body.closed)
	}
}

type closedBody struct {
	io.Reader
	closed bool
}

func (b *closedBody) Close() error { b.closed = true; return nil }

// An open call holds its place for a bounded time, whatever its peer sends or takes.
func TestOpenCallsEnd(t *testing.T) {
	for _, form := range []struct {
		path, media, body string
		by                time.Duration
	}{
		{"/grpc.health.v1.Health/Check", "application/grpc", "", openCallTime},
		{"/grpc.health.v1.Health/Check", "application/json", "{", openCallTime},
		{"/grpc.health.v1.Health/Check", "application/grpc-web-text", "AAAA", openCallTime},
		{"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "application/grpc", "", reflectionIdle},
	} {
		inBubble(t, func(t *testing.T, s *frameServer, server *Server) {
			c := s.open(t)
			c.must(c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true,
				BlockFragment: c.headersFor(form.path, "content-type", form.media, "te", "trailers")}))
			if form.body != "" {
				c.must(c.WriteData(1, false, []byte(form.body)))
			}
			c.take()
			if n := server.openCalls.requests(); n != 1 {
				t.Errorf("%v: %d open calls in flight, want the one", form, n)
			}
			time.Sleep(form.by)
			if c.take() == nil || server.openCalls.requests() != 0 {
				t.Errorf("%v: %d open calls in flight after their time", form, server.openCalls.requests())
			}
		})
	}
}

// One address holds no more open calls than its share, and others can ask for health meanwhile.
func TestHeldOpenCallsAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, s *frameServer, server *Server) {
		check := "/grpc.health.v1.Health/Check"
		bombs := s.open(t)
		for i := range uint32(maxStreams) {
			bombs.must(bombs.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, EndHeaders: true,
				BlockFragment: bombs.headersFor(check, "content-type", "application/grpc", "te", "trailers")}))
		}
		got := bombs.take()
		if n := server.openCalls.requests(); n != openShare {
			t.Errorf("%d are in flight, want %d", n, openShare)
		}
		refused := 0
		for _, f := range got {
			if valueOf(f.fields, "grpc-status") == "14" && valueOf(f.fields, "retry-after") == "1" {
				refused++
			}
		}
		if refused != maxStreams-openShare {
			t.Errorf("%d were refused, want %d: %v", refused, maxStreams-openShare, got)
		}
	})
}

// A request that announces a thousand trailers, or has too many fields, is refused before it is served.
func TestHeaderFieldsAreBounded(t *testing.T) {
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprintf("%03x", i)
	}
	many := func(n int) (fields []string) {
		for i := range n {
			fields = append(fields, fmt.Sprintf("x-%d", i), "v")
		}
		return fields
	}
	for _, row := range []struct {
		title  string
		fields []string
		status string
	}{
		{"as many as there may be", many(maxFields), "405"},
		{"one more", many(maxFields + 1), "431"},
		{"two thousand of a name", slices.Repeat([]string{"x", "v"}, 1900), "431"},
		{"gRPC, a thousand trailers", []string{"content-type", "application/grpc", "trailer", strings.Join(names, ",")}, "431"},
		{"some trailers", []string{"trailer", "a,b,c"}, "405"},
	} {
		inBubble(t, func(t *testing.T, s *frameServer, server *Server) {
			c := s.open(t)
			c.must(c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, EndStream: true,
				BlockFragment: c.headersFor("/healthz", row.fields...)}))
			if got := status(c.take(), 1); got != row.status {
				t.Errorf("%s: status %q, want %s", row.title, got, row.status)
			}
		})
	}
	f := start(t, nil)
	fields := many(maxFields + 1)
	if res, _ := f.do(t, http.MethodGet, "/healthz", nil, fields...); res.StatusCode != 431 || !res.Close {
		t.Errorf("HTTP/1.1: %d, closes %v, want 431 and that it closes", res.StatusCode, res.Close)
	}
}

// Answers about health forbid browsers to guess their type, in every form.
func TestHealthIsNotSniffed(t *testing.T) {
	f := start(t, nil)
	for path, method := range map[string]string{"/healthz": http.MethodGet, "/readyz": http.MethodGet, "/grpc.health.v1.Health/Check": http.MethodPost} {
		res, _ := f.do(t, method, path, strings.NewReader("{}"), "Content-Type", "application/json")
		if got := res.Header.Get("X-Content-Type-Options"); got != "nosniff" || res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d with X-Content-Type-Options %q, want nosniff", path, res.StatusCode, got)
		}
	}
	res, _ := f.do(t, http.MethodPost, "/grpc.health.v1.Health/Check", strings.NewReader("{}"), "Content-Type", "application/json", "Connect-Timeout-Ms", "x")
	if got := res.Header.Get("X-Content-Type-Options"); got != "nosniff" || res.StatusCode != http.StatusBadRequest {
		t.Errorf("a refused question: %d with X-Content-Type-Options %q, want 400 and nosniff", res.StatusCode, got)
	}
}
