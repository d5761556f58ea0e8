package server

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"avatard/authz/limit"
)

const (
	// connReserve connections beyond the bound are taken for those who ask whether the server is well, connReserveShare of one
	// address. Everybody else is told on them that there are too many.
	connReserve      = 64
	connReserveShare = 8
)

// connections counts the connections of a listener, in all and for each address. At a bound the one that has been idle longest gives way to
// a new one, see idleList. What is over a bound then gets into a reserve, out of which the oldest has to go when it is full: a request that is
// there when the connection is open has been answered by then.
type connections struct {
	max, each int
	proxies   []netip.Prefix // their addresses may have max
	turned    *turned

	mu       sync.Mutex
	all      int
	idle     idleList
	of       map[netip.Addr]*connectionsOf
	reserve  []*gatheredConn // oldest first
	reserved atomic.Int32    // len(reserve)
}

// connectionsOf are those of one address.
type connectionsOf struct {
	all  int
	idle idleList
}

// newConnections returns room for the connections that a Server is configured for.
func (s *Server) newConnections() *connections {
	return &connections{max: s.config.MaxConnections, each: s.config.MaxConnectionsPerAddress, proxies: s.config.Proxies, turned: &s.turned,
		of: make(map[netip.Addr]*connectionsOf)}
}

// enter counts a connection.
func (n *connections) enter(c *gatheredConn) {
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		host = ""
	}
	c.address = limit.Address(host)
	over, full := n.place(c, host)
	if full {
		n.turned.count(context.Background(), over, host)
	}
}

// place finds room for a connection and makes some in the reserve.
func (n *connections) place(c *gatheredConn, host string) (over turnedAway, full bool) {
	ip, _ := netip.ParseAddr(host)
	c.proxy = slices.ContainsFunc(n.proxies, func(p netip.Prefix) bool { return p.Contains(ip.Unmap()) })
	n.mu.Lock()
	over, idle, full := n.over(c)
	if idle != nil {
		n.remove(idle)
		defer func() { _ = idle.Close() }()
	}
	if !full || idle != nil {
		n.add(c)
		n.mu.Unlock()
		return 0, false
	}
	c.reserved = true
	gone := n.oldestOf(c.address)
	if gone != nil {
		n.drop(gone)
	}
	n.reserve = append(n.reserve, c)
	n.reserved.Store(int32(len(n.reserve)))
	n.mu.Unlock()
	gone.abort()
	return over, true
}

// over tells the bound that one connection more would be over, and which one can give way to it. The caller holds mu.
func (n *connections) over(c *gatheredConn) (over turnedAway, idle *gatheredConn, full bool) {
	own := n.of[c.address]
	switch {
	case own != nil && own.all >= n.each && !c.proxy:
		return awayConnectionsOfAddress, own.idle.longest(), true
	case n.all >= n.max:
		return awayConnections, n.idle.longest(), true
	}
	return 0, nil, false
}

// add counts a connection. The caller holds mu.
func (n *connections) add(c *gatheredConn) {
	own := n.of[c.address]
	if own == nil {
		own = new(connectionsOf)
		n.of[c.address] = own
	}
	own.all++
	n.all++
	c.counted = true
}

// remove takes a connection out of those that are counted, if it is still there. The caller holds mu.
func (n *connections) remove(c *gatheredConn) {
	if !c.counted {
		return
	}
	n.setIdle(c, false)
	c.counted = false
	n.all--
	own := n.of[c.address]
	if own.all--; own.all == 0 {
		delete(n.of, c.address)
	}
}

// oldestOf returns the connection that has to leave the reserve for another one of an address, nil = none has to.
func (n *connections) oldestOf(address netip.Addr) *gatheredConn {
	own := 0
	for _, c := range n.reserve {
		if c.address == address {
			own++
		}
	}
	switch {
	case own >= connReserveShare:
		return n.reserve[slices.IndexFunc(n.reserve, func(c *gatheredConn) bool { return c.address == address })]
	case len(n.reserve) >= connReserve:
		return n.reserve[0]
	}
	return nil
}

// drop takes a connection out of the reserve, if it is still there.
func (n *connections) drop(c *gatheredConn) {
	if i := slices.Index(n.reserve, c); i >= 0 {
		n.reserve = slices.Delete(n.reserve, i, i+1)
		n.reserved.Store(int32(len(n.reserve)))
	}
}

// leave takes a connection off that enter has counted.
func (n *connections) leave(c *gatheredConn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.reserved {
		n.drop(c)
		return
	}
	n.remove(c)
}

// count tells how many are open.
func (n *connections) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.all + len(n.reserve)
}
