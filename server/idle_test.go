package server

import (
	"bufio"
	"io"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// A connection is kept for longer than the ten minutes that load balancers keep it, so that it is they who close it: a call that
// meets a server which is just closing has no answer.
func TestIdleConnectionsOutliveProxies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, server := serveShelf(t, map[string][]byte{}, false)
		conn := server.connect(t)
		reader := bufio.NewReader(conn)
		for range 3 {
			if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, res.Body); err != nil || res.Close || res.StatusCode != http.StatusOK {
				t.Fatalf("%d, closes %v, %v", res.StatusCode, res.Close, err)
			}
			time.Sleep(601 * time.Second)
		}
		if _, err := reader.ReadByte(); err != io.EOF {
			t.Errorf("an idle connection for ever: %v, want its end", err)
		}
	})
}

func TestIdleHTTP2ConnectionsOutliveProxies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, server := serveShelf(t, map[string][]byte{}, false)
		c := server.open(t)
		idle := func(long time.Duration) {
			for end := time.Now().Add(long); time.Now().Before(end) && c.over() == 0; time.Sleep(time.Second) {
				for _, ping := range only(c.take(), http2.FramePing) {
					c.must(c.WritePing(true, ping.ping))
				}
			}
		}
		for range 2 {
			idle(601 * time.Second)
			stream := c.next()
			c.must(c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, EndHeaders: true, EndStream: true, BlockFragment: c.headersOf(http.MethodGet, "/healthz")}))
			if got := status(c.take(), stream); got != "200" {
				t.Fatalf("after ten minutes: status %q, want 200", got)
			}
		}
		if idle(630 * time.Second); c.over() == 0 {
			t.Error("an idle connection is kept for ever")
		}
	})
}

// At a bound the connection that has been idle longest gives way, unless it is a proxy's or has not been for long. Nobody's is closed
// for others that are over the bound of their own address.
func TestIdleConnectionsGiveWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, err := New(Config{Store: wellStore{}, Issuer: issuer, Authenticator: tokens(nil), Permissions: failingSource(nil),
			MaxConnections: 5, MaxConnectionsPerAddress: 2, Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.128/25")}})
		if err != nil {
			t.Fatal(err)
		}
		source := new(arrivals)
		ln := &gatherListener{Listener: source, counted: server.connections}
		var all []*gatheredConn
		accept := func(from string, state http.ConnState) *gatheredConn {
			t.Helper()
			source.from = from
			conn, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			c := conn.(*gatheredConn)
			all = append(all, c)
			followState(c, state)
			time.Sleep(time.Second)
			return c
		}
		want := func(title string, c *gatheredConn, reserved bool, gone ...*gatheredConn) {
			t.Helper()
			synctest.Wait()
			ended := 0
			for _, other := range all {
				if other.gone {
					ended++
				}
			}
			for _, other := range gone {
				if !other.gone {
					t.Errorf("%s: one that has to give way is there", title)
				}
			}
			if c.reserved != reserved || ended != len(gone) {
				t.Errorf("%s: out of the reserve %v, %d are gone; want %v, %d", title, c.reserved, ended, reserved, len(gone))
			}
		}
		proxy := accept("192.0.2.200:1", http.StateIdle)
		busy := accept("192.0.2.1:1", http.StateActive)
		first := accept("192.0.2.1:2", http.StateIdle)
		second := accept("192.0.2.2:1", http.StateIdle)
		third := accept("192.0.2.3:1", http.StateIdle)
		time.Sleep(idleGrace - 4*time.Second)
		want("none for long enough", accept("192.0.2.4:1", http.StateNew), true)
		time.Sleep(10 * time.Second)
		want("one of the address itself", accept("192.0.2.1:3", http.StateActive), false, first)
		want("the longest of all", accept("192.0.2.5:1", http.StateActive), false, first, second)
		want("none of the address itself", accept("192.0.2.1:4", http.StateNew), true, first, second)
		want("the last that has been for long enough", accept("192.0.2.5:2", http.StateActive), false, first, second, third)
		followState(busy, http.StateIdle)
		want("the proxy's stay, and what has just become idle", accept("192.0.2.6:1", http.StateNew), true, first, second, third)
		time.Sleep(idleGrace)
		want("when it has been for long enough", accept("192.0.2.6:1", http.StateActive), false, first, second, third, busy)
		if proxy.gone {
			t.Error("a proxy's connection gave way")
		}
		for _, c := range all {
			_ = c.Close()
		}
		if n := server.connections; n.count() != 0 || len(n.of) != 0 || n.idle != (idleList{}) {
			t.Errorf("%d connections of %v are left", n.count(), n.of)
		}
		ln.open.Wait()
	})
}
