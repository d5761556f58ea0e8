package server

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// addressed is a connection from an address.
type addressed struct {
	net.Conn
	from string
}

func (c addressed) RemoteAddr() net.Addr { return addressText(c.from) }

type addressText string

func (a addressText) Network() string { return "tcp" }
func (a addressText) String() string  { return string(a) }

// arriving makes connections from addresses.
type arrivals struct {
	net.Listener
	from string
}

func (l *arrivals) Accept() (net.Conn, error) {
	conn, _ := net.Pipe()
	return addressed{conn, l.from}, nil
}

func TestConnections(t *testing.T) {
	server, err := New(Config{Store: wellStore{}, Issuer: issuer, Authenticator: tokens(nil), Permissions: failingSource(nil),
		MaxConnections: 6, MaxConnectionsPerAddress: 2, Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.128/25")}})
	if err != nil {
		t.Fatal(err)
	}
	source := new(arrivals)
	ln := &gatherListener{Listener: source, counted: server.connections}
	accept := func(from string) *gatheredConn {
		t.Helper()
		source.from = from
		conn, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return conn.(*gatheredConn)
	}
	var all []*gatheredConn
	for _, row := range []struct {
		from    string
		reserve bool
	}{
		{"192.0.2.1:1", false},
		{"192.0.2.1:2", false},
		{"192.0.2.1:3", true},
		{"[2001:db8::1]:1", false},
		{"[2001:db8::2]:1", false}, // the same network
		{"[2001:db8::3]:1", true},
		{"192.0.2.200:1", false}, // a proxy
		{"192.0.2.200:2", false},
		{"192.0.2.200:3", true}, // six in all
		{"192.0.2.2:1", true},
	} {
		c := accept(row.from)
		all = append(all, c)
		if c.reserved != row.reserve {
			t.Errorf("%s comes out of the reserve: %v, want %v", row.from, c.reserved, row.reserve)
		}
	}
	load := server.Load()
	if load.Connections != len(all) || load.Refused["connections"] != 2 || load.Refused["connections_address"] != 2 {
		t.Errorf("load %+v, want %d connections, 2 over the bound of all and 2 over that of their address", load, len(all))
	}
	// The reserve gives up its oldest: that of the address that has most, else of all.
	for range connReserveShare - 1 {
		all = append(all, accept("192.0.2.1:4"))
	}
	if all[2].gone {
		t.Error("one of eight in the reserve is gone")
	}
	all = append(all, accept("192.0.2.1:5"))
	if !all[2].gone || all[5].gone {
		t.Errorf("gone are %v and %v, want the oldest of the address, and nobody else", all[2].gone, all[5].gone)
	}
	for i := range byte(connReserve - connReserveShare - 2) {
		all = append(all, accept(netip.AddrFrom4([4]byte{198, 51, 100, i}).String()+":1"))
	}
	if !all[5].gone || len(server.connections.reserve) != connReserve {
		t.Errorf("the oldest is gone: %v, %d are in the reserve, want %d", all[5].gone, len(server.connections.reserve), connReserve)
	}
	for _, c := range all {
		_ = c.Close()
	}
	if n := server.connections; n.count() != 0 || len(n.of) != 0 || n.reserved.Load() != 0 {
		t.Errorf("%d connections of %v are left", n.count(), n.of)
	}
	ln.open.Wait()
}

// An address that has all its connections keeps nobody from asking whether the server is well, and nobody else from anything.
func TestHealthBesideAllConnections(t *testing.T) {
	f := start(t, func(c *Config) { c.MaxConnections, c.MaxConnectionsPerAddress = 4, 3 })
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- f.server.Serve(ctx, ln) }()
	dial := func(from string) net.Conn {
		t.Helper()
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		conn, err := dialer.DialContext(t.Context(), "tcp", ln.Addr().String())
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
	if lines := strings.Count(f.log.String(), "turned away"); lines != 1 {
		t.Errorf("the log has %d lines about it, want one", lines)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
