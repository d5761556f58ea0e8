package server

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// An address that has all of its connections can still ask for health, and does not affect other addresses.
func TestHealthBesideAllConnections(t *testing.T) {
	f := start(t, func(c *Config) { c.MaxConnections, c.MaxConnectionsPerAddress = 4, 3 })
	l := f.listen(t, false)
	dial := func(from string) net.Conn {
		t.Helper()
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		conn, err := dialer.DialContext(t.Context(), "tcp", l.address)
		if err != nil {
			t.Skip("no second loopback address:", err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	ask := func(conn net.Conn, path string) *http.Response {
		t.Helper()
		if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res
	}
	for range 3 {
		if res := ask(dial("127.0.0.1"), "/healthz"); res.StatusCode != 200 || res.Close {
			t.Fatalf("within the bounds: %d, closes %v", res.StatusCode, res.Close)
		}
	}
	other := dial("127.0.0.2")
	const picture = "/assets/v1/" + acme + "/users/" + alice + "/avatar"
	if res := ask(other, picture); res.StatusCode != 200 || res.Close {
		t.Errorf("another address: %d, closes %v, want its picture", res.StatusCode, res.Close)
	}
	for _, from := range []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"} {
		for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, picture: 503} {
			if res := ask(dial(from), path); res.StatusCode != want || !res.Close || (want == 503) != (res.Header.Get("Retry-After") == "1") {
				t.Errorf("%s from %s: %d, closes %v, Retry-After %q; want %d and that it closes", path, from, res.StatusCode, res.Close, res.Header.Get("Retry-After"), want)
			}
		}
	}
	if refused := f.server.Load().Refused; refused["connections"] != 6+3 || refused["connections_address"] != 3 {
		t.Errorf("refused %v, want 6 connections and the 3 pictures over the bound of all, and 3 connections over that of their address", refused)
	}
	if lines := strings.Count(f.log.String(), "turned away"); lines != 1 {
		t.Errorf("the log has %d lines about it, want one", lines)
	}
	l.end(t)
}
