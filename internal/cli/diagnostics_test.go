package cli

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// askDiagnostics sends one request that came to a local address.
func askDiagnostics(method, path, host string, local net.IP) (status int, body string) {
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the metrics") })
	r := httptest.NewRequest(method, path, nil)
	r.Host = host
	if local != nil {
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: local, Port: 9464}))
	}
	rec := httptest.NewRecorder()
	diagnosticsHandler(metrics).ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

func TestDiagnosticsAreForWhom(t *testing.T) {
	here, here6, lan := net.IPv4(127, 0, 0, 1), net.IPv6loopback, net.IPv4(192, 0, 2, 7)
	for _, tt := range []struct {
		title        string
		method, path string
		host         string
		local        net.IP
		status       int
	}{
		{"metrics on this machine", "GET", "/metrics", "127.0.0.1:9464", here, 200},
		{"metrics on this machine, IPv6", "GET", "/metrics", "[::1]:9464", here6, 200},
		{"metrics over the network, under any name", "GET", "/metrics", "avatars.example", lan, 200},
		{"a browser that was led here by another name", "GET", "/metrics", "evil.example:9464", here, 421},
		{"profiles likewise", "GET", "/debug/pprof/heap", "evil.example", here, 421},
		{"a profile on this machine", "GET", "/debug/pprof/heap", "localhost:9464", here, 200},
		{"goroutines", "GET", "/debug/pprof/goroutine?debug=1", "localhost", here, 200},
		{"a profile over the network", "GET", "/debug/pprof/heap", "avatars.example", lan, 404},
		{"a processor's profile over the network", "GET", "/debug/pprof/profile?seconds=1", "avatars.example", lan, 404},
		{"a profile when nobody knows where the request came in", "GET", "/debug/pprof/heap", "localhost", nil, 404},
		{"the command line, which may hold a secret", "GET", "/debug/pprof/cmdline", "localhost", here, 404},
		{"symbols, which nothing needs", "GET", "/debug/pprof/symbol", "localhost", here, 404},
		{"an unknown profile", "GET", "/debug/pprof/x", "localhost", here, 404},
		{"a profile by a path that a proxy's rules do not see", "GET", "/d%65bug/pprof/heap", "localhost", here, 404},
		{"metrics likewise", "GET", "/metric%73", "localhost", here, 404},
		{"anything else", "GET", "/", "localhost", here, 404},
		{"another method", "POST", "/metrics", "localhost", here, 405},
	} {
		if status, body := askDiagnostics(tt.method, tt.path, tt.host, tt.local); status != tt.status {
			t.Errorf("%s: %s %s = %d %q, want %d", tt.title, tt.method, tt.path, status, body, tt.status)
		}
	}
}
