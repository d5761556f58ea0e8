package connections

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"example.org/avatard/authz/limit"
)

const (
	// maxReserved connections beyond the limits are open at once, maxReservedOfAddress of one address, for questions about health. Any other
	// request on them gets the answer that there are too many.
	maxReserved          = 64
	maxReservedOfAddress = 8
)

// Limits are those of a Group.
type Limits struct {
	// Max is the number of connections, MaxPerAddress that of those from one address, where an IPv6 address counts with its network of 64 bits.
	Max, MaxPerAddress int
	// Proxies are the networks of proxies, whose connections carry the requests of many: MaxPerAddress does not hold for them.
	Proxies []netip.Prefix
	// HeadLines is the number of lines that an HTTP/1 request may have before its body.
	HeadLines int
	// Refused is called for each refusal, with the address of the peer. nil = nothing is called.
	Refused func(why Refusal, address string)
}

func (l *Limits) refused(why Refusal, address string) {
	if l.Refused != nil {
		l.Refused(why, address)
	}
}

// Refusal is why a connection, or the head of a request, was refused.
type Refusal int

// The limits that refuse.
const (
	TooMany          Refusal = iota // Limits.Max; the connection is in reserve
	TooManyOfAddress                // Limits.MaxPerAddress; the connection is in reserve
	HeadTooLong                     // Limits.HeadLines
)

// Group counts the connections of one or more listeners, in all and for each address. At a limit the connection that has been idle longest gives
// way to a new one, see idleList. Where none has been idle long enough the new connection is in reserve. When the reserve is full its oldest
// connection is cut off: a request that came with that connection has been answered by then.
//
// Its methods may be called concurrently.
type Group struct {
	limits Limits

	mu        sync.Mutex
	counted   int // connections within the limits
	idle      idleList
	addresses map[netip.Addr]*addressCount
	reserve   []*Conn      // oldest first
	reserved  atomic.Int32 // len(reserve)
}

// addressCount are the connections of one address that are within the limits.
type addressCount struct {
	counted int
	idle    idleList
}

// NewGroup returns a group without connections.
func NewGroup(limits Limits) *Group {
	return &Group{limits: limits, addresses: make(map[netip.Addr]*addressCount)}
}

// Open returns the number of connections that are open, those in reserve included.
func (g *Group) Open() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.counted + len(g.reserve)
}

// HasReserved reports whether a connection of the reserve is open. It is cheap.
func (g *Group) HasReserved() bool { return g.reserved.Load() > 0 }

// admit counts a new connection, and finds out about its peer.
func (g *Group) admit(c *Conn) {
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		host = ""
	}
	ip, _ := netip.ParseAddr(host)
	c.address = limit.Address(host)
	c.proxy = slices.ContainsFunc(g.limits.Proxies, func(p netip.Prefix) bool { return p.Contains(ip.Unmap()) })
	if why, full := g.place(c); full {
		g.limits.refused(why, host)
	}
}

// place counts a connection within the limits, or puts it into the reserve. It closes the connection that has to go for that.
func (g *Group) place(c *Conn) (why Refusal, full bool) {
	g.mu.Lock()
	why, idle, full := g.exceeded(c)
	if !full || idle != nil {
		if idle != nil {
			g.remove(idle)
		}
		g.add(c)
		g.mu.Unlock()
		if idle != nil {
			_ = idle.Close()
		}
		return 0, false
	}
	c.reserved = true
	gone := g.reservedToCut(c.address)
	g.removeReserved(gone)
	g.reserve = append(g.reserve, c)
	g.reserved.Store(int32(len(g.reserve)))
	g.mu.Unlock()
	gone.Abort()
	return why, true
}

// exceeded returns the limit that another connection would exceed, and the connection that can give way to it. The caller holds mu.
func (g *Group) exceeded(c *Conn) (why Refusal, idle *Conn, full bool) {
	own := g.addresses[c.address]
	switch {
	case own != nil && own.counted >= g.limits.MaxPerAddress && !c.proxy:
		return TooManyOfAddress, own.idle.longest(), true
	case g.counted >= g.limits.Max:
		return TooMany, g.idle.longest(), true
	}
	return 0, nil, false
}

// add counts a connection within the limits. The caller holds mu.
func (g *Group) add(c *Conn) {
	own := g.addresses[c.address]
	if own == nil {
		own = new(addressCount)
		g.addresses[c.address] = own
	}
	own.counted++
	g.counted++
	c.counted = true
}

// remove takes a connection off that add has counted, once. The caller holds mu.
func (g *Group) remove(c *Conn) {
	if !c.counted {
		return
	}
	g.setIdle(c, false)
	c.counted = false
	g.counted--
	own := g.addresses[c.address]
	if own.counted--; own.counted == 0 {
		delete(g.addresses, c.address)
	}
}

// reservedToCut returns the connection that has to leave the reserve for another one of an address, nil = none has to. The caller holds mu.
func (g *Group) reservedToCut(address netip.Addr) *Conn {
	own := 0
	for _, c := range g.reserve {
		if c.address == address {
			own++
		}
	}
	switch {
	case own >= maxReservedOfAddress:
		return g.reserve[slices.IndexFunc(g.reserve, func(c *Conn) bool { return c.address == address })]
	case len(g.reserve) >= maxReserved:
		return g.reserve[0]
	}
	return nil
}

// removeReserved takes a connection out of the reserve, if it is there. The caller holds mu.
func (g *Group) removeReserved(c *Conn) {
	if i := slices.Index(g.reserve, c); i >= 0 {
		g.reserve = slices.Delete(g.reserve, i, i+1)
		g.reserved.Store(int32(len(g.reserve)))
	}
}

// leave takes a connection off that admit has counted.
func (g *Group) leave(c *Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.reserved {
		g.removeReserved(c)
		return
	}
	g.remove(c)
}
