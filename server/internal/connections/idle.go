package connections

import "time"

// idleGrace is how long a connection may be idle in any case. After that it gives way as soon as another one needs its place, so that
// a long idle time-out does not help an attacker to hold connections.
const idleGrace = 90 * time.Second

// follow notes whether a connection is idle. It takes as long for the thousandth connection as for the first.
func (g *Group) follow(c *Conn, idle bool) {
	if c.reserved || c.proxy { // the proxy may be sending another call at this moment, which would get no answer
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.counted {
		g.setIdle(c, idle)
	}
}

// setIdle puts a counted connection into the lists of idle ones, or takes it out. The caller holds mu.
func (g *Group) setIdle(c *Conn, idle bool) {
	if idle == !c.idleSince.IsZero() {
		return
	}
	own := &g.addresses[c.address].idle
	if idle {
		c.idleSince = time.Now()
		g.idle.append(c, ofAll)
		own.append(c, ofAddress)
	} else {
		c.idleSince = time.Time{}
		g.idle.remove(c, ofAll)
		own.remove(c, ofAddress)
	}
}

// idleList is a list of connections, the one that has been idle longest first. Each connection is in two lists, of all and of its address. Their
// links are in the connection: an HTTP/1 call enters and leaves both lists and must not allocate for that.
type idleList struct{ first, last *Conn }

const (
	ofAll = iota
	ofAddress
	idleLists
)

// idleLinks are a connection's neighbours in one list.
type idleLinks struct{ before, after *Conn }

// longest returns the connection that has been idle longest, nil where none has been for idleGrace.
func (l *idleList) longest() *Conn {
	if l.first == nil || time.Since(l.first.idleSince) < idleGrace {
		return nil
	}
	return l.first
}

func (l *idleList) append(c *Conn, list int) {
	c.links[list].before = l.last
	if l.last != nil {
		l.last.links[list].after = c
	} else {
		l.first = c
	}
	l.last = c
}

func (l *idleList) remove(c *Conn, list int) {
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
