package server

import (
	"net"
	"net/http"
	"time"
)

// idleGrace is how long a connection may be idle in any case. One that has been for longer is kept for as long as nobody else needs its place:
// so a long Config.IdleTimeout is nothing that strangers can hold.
const idleGrace = 90 * time.Second

// followState is told by net/http what a connection does: when a request was read to the end of its head, and when the next one may
// come.
func followState(conn net.Conn, state http.ConnState) {
	c, ok := conn.(*gatheredConn)
	if !ok || state != http.StateActive && state != http.StateIdle {
		return
	}
	idle := state == http.StateIdle
	if !c.gathers.Load() {
		c.head = head{over: !idle}
		c.answering.Store(!idle)
		c.unread.Store(!idle) // until the handler knows
	}
	if counted := c.listener.counted; counted != nil && !c.reserved && !c.proxy {
		counted.follow(c, idle)
	}
}

// follow notes whether a connection is idle. It takes as long for the thousandth as for the first.
func (n *connections) follow(c *gatheredConn, idle bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.counted {
		n.setIdle(c, idle)
	}
}

// setIdle puts a connection that is counted into the lists of idle ones, or takes it out. The caller holds mu.
func (n *connections) setIdle(c *gatheredConn, idle bool) {
	if idle == !c.idle.IsZero() {
		return
	}
	own := &n.of[c.address].idle
	if idle {
		c.idle = time.Now()
		n.idle.append(c, ofAll)
		own.append(c, ofAddress)
	} else {
		c.idle = time.Time{}
		n.idle.remove(c, ofAll)
		own.remove(c, ofAddress)
	}
}

// idleList is a list of connections, the one first that has been idle longest. Each is in two, of all and of its address. Those of proxies
// are in none: a call may be on its way on any of them, and would get no answer.
type idleList struct{ first, last *gatheredConn }

const (
	ofAll = iota
	ofAddress
	idleLists
)

// idleLinks are a connection's neighbours in one of the lists.
type idleLinks struct{ before, after *gatheredConn }

// longest returns the connection that has been idle longest, nil where none has been for idleGrace.
func (l *idleList) longest() *gatheredConn {
	if l.first == nil || time.Since(l.first.idle) < idleGrace {
		return nil
	}
	return l.first
}

func (l *idleList) append(c *gatheredConn, list int) {
	c.links[list].before = l.last
	if l.last != nil {
		l.last.links[list].after = c
	} else {
		l.first = c
	}
	l.last = c
}

func (l *idleList) remove(c *gatheredConn, list int) {
	links := c.links[list]
	c.links[list] = idleLinks{}
	if links.before != nil {
		links.before.links[list].after = links.after
	} else {
		l.first = links.after
	}
	if links.after != nil {
		links.after.links[list].before = links.before
	} else {
		l.last = links.before
	}
}
