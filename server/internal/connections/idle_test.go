package connections

import (
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// At a bound the connection that has been idle longest gives way, unless it is a proxy's or has not been idle for long. An address that
// is over its own bound never costs another one a connection.
func TestIdleConnectionsGiveWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		group := NewGroup(Limits{Max: 5, MaxPerAddress: 2, Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.128/25")}})
		source := new(arrivals)
		ln := group.Listen(source, nil)
		var all []*Conn
		accept := func(from string, state http.ConnState) *Conn {
			t.Helper()
			c := source.accept(t, ln, from)
			all = append(all, c)
			c.follow(state)
			time.Sleep(time.Second)
			return c
		}
		want := func(title string, c *Conn, reserved bool, gone ...*Conn) {
			t.Helper()
			synctest.Wait()
			if c.reserved != reserved {
				t.Errorf("%s: out of the reserve %v, want %v", title, c.reserved, reserved)
			}
			for i, other := range all {
				if other.socketClosed != slices.Contains(gone, other) {
					t.Errorf("%s: connection %d is gone: %v", title, i, other.socketClosed)
				}
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
		busy.follow(http.StateIdle)
		want("the proxy's stay, and what has just become idle", accept("192.0.2.6:1", http.StateNew), true, first, second, third)
		time.Sleep(idleGrace)
		want("when it has been for long enough", accept("192.0.2.6:1", http.StateActive), false, first, second, third, busy)
		if proxy.socketClosed {
			t.Error("a proxy's connection gave way")
		}
		for _, c := range all {
			_ = c.Close()
		}
		if group.Open() != 0 || len(group.addresses) != 0 || group.idle != (idleList{}) {
			t.Errorf("%d connections of %v are left", group.Open(), group.addresses)
		}
		ln.Finish()
	})
}
