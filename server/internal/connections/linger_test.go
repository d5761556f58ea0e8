package connections

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// halfClosing is a connection in memory that can be closed for writing alone.
type halfClosing struct{ net.Conn }

func (halfClosing) CloseWrite() error { return nil }

// lingerer returns a connection that lingers from now on, and its peer's end.
func lingerer(t *testing.T, l *Listener, address string) (c *Conn, peer net.Conn) {
	t.Helper()
	here, there := net.Pipe()
	c = l.newConn(halfClosing{there})
	c.address = netip.MustParseAddr(address)
	c.bodyUnread.Store(true)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return c, here
}

// A peer that sends little is cut off soon, one that sends much in the end: no peer keeps a connection by sending.
func TestLingeringIsBounded(t *testing.T) {
	for _, row := range []struct {
		title   string
		piece   int // bytes
		every   time.Duration
		longest time.Duration
		most    int64
	}{
		{"silence", 0, time.Hour, lingerPatience, 0},
		{"a byte now and then", 1, 100 * time.Millisecond, lingerPatience, 1 << 10},
		{"less than the least", lingerPiece - 1, lingerPatience, lingerPatience, lingerPiece},
		{"a slow network", 4 << 10, 100 * time.Millisecond, lingerTime, 2 << 20},
		{"a fast one", 64 << 10, time.Millisecond, lingerTime, lingerBytes + 64<<10},
	} {
		t.Run(row.title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := NewGroup(Limits{}).Listen(nil, nil)
				_, peer := lingerer(t, l, "192.0.2.1")
				began := time.Now()
				var sent atomic.Int64
				go func() {
					for {
						time.Sleep(row.every)
						n, err := peer.Write(make([]byte, row.piece))
						if sent.Add(int64(n)); err != nil {
							return
						}
					}
				}()
				l.open.Wait()
				if took := time.Since(began); took > row.longest || sent.Load() > row.most {
					t.Errorf("it lasted %v and %d bytes, want %v and %d at most", took, sent.Load(), row.longest, row.most)
				}
				_ = peer.Close()
				time.Sleep(2 * time.Hour) // the peer notices
			})
		})
	}
}

// The server does not wait for a peer that has sent everything.
func TestLingeringEndsWithThePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewGroup(Limits{}).Listen(nil, nil)
		c, peer := lingerer(t, l, "192.0.2.1")
		began := time.Now()
		_ = peer.Close()
		l.open.Wait()
		synctest.Wait()
		if !c.socketClosed || time.Since(began) != 0 || len(l.lingering.conns) != 0 {
			t.Errorf("gone %v after %v, %d linger", c.socketClosed, time.Since(began), len(l.lingering.conns))
		}
	})
}

// Few connections linger at once, in all and of one address, and the oldest is cut off for a new one. None lingers once the server has ended.
func TestFewLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewGroup(Limits{}).Listen(nil, nil)
		var own, all []*Conn
		add := func(address string) *Conn {
			c, peer := lingerer(t, l, address)
			all = append(all, c)
			t.Cleanup(func() { _ = peer.Close() })
			return c
		}
		isGone := func(c *Conn) bool {
			synctest.Wait()
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.socketClosed
		}
		other := add("192.0.2.2")
		for range lingerShare {
			own = append(own, add("192.0.2.1"))
		}
		if isGone(own[0]) {
			t.Error("one of an address's share is gone")
		}
		add("192.0.2.1")
		if !isGone(own[0]) || isGone(own[1]) || isGone(other) {
			t.Error("the oldest of an address that has its share should go, and nobody else")
		}
		for i := range byte(maxLingering - lingerShare - 1) {
			add(netip.AddrFrom4([4]byte{198, 51, 100, i}).String())
		}
		if isGone(other) || len(l.lingering.conns) != maxLingering {
			t.Errorf("%d linger, want %d", len(l.lingering.conns), maxLingering)
		}
		add("203.0.113.1")
		if !isGone(other) || isGone(own[1]) {
			t.Error("the oldest of all should go")
		}
		began := time.Now()
		l.Finish()
		if took := time.Since(began); took != 0 {
			t.Errorf("the end of the server waited %v for those that linger", took)
		}
		add("203.0.113.2")
		for _, c := range all {
			if !isGone(c) {
				t.Fatal("one lingers after the end of the server")
			}
		}
		l.open.Wait()
	})
}

// A proxy's connections carry the answers of many clients: one client does not cut off those of the others. A proxy has half of the places.
func TestProxiesLingerMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewGroup(Limits{}).Listen(nil, nil)
		enter := func(address string, proxy bool) *Conn {
			here, there := net.Pipe()
			t.Cleanup(func() { _ = here.Close() })
			c := l.newConn(there)
			c.address, c.proxy = netip.MustParseAddr(address), proxy
			l.lingering.enter(c)
			return c
		}
		other := enter("192.0.2.1", false)
		first := enter("192.0.2.2", true)
		for range maxLingering/2 - 1 {
			enter("192.0.2.2", true)
		}
		if first.socketClosed {
			t.Error("one of a proxy's share is gone")
		}
		enter("192.0.2.2", true)
		if !first.socketClosed || other.socketClosed {
			t.Error("the oldest of a proxy that has its share should go, and nobody else")
		}
	})
}
