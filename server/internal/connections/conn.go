// Package connections keeps the connections of a server, between the sockets and net/http: how many there are, what may arrive before a
// request is known, how bytes leave, and how a connection ends. It does not import package server, which calls it where a call matters.
//
//	socket ─► Listener.Accept ─► Conn ─► net/http ─► handlers, which find their Conn by Of
//	               │              ├ Read   read.go: recognises HTTP/2, yields before each frame
//	               ▼              │          head.go: bounds the lines of an HTTP/1 head
//	             Group            │          halfclosed.go: holds the end of the data back during a call
//	   group.go: limits in all    ├ Write  write.go: joins the frames of HTTP/2
//	     and for each address     ├ Close  close.go: never waits
//	   idle.go: which connection  │          linger.go: reads on after the answer
//	     gives way to a new one   └ below  tls.go: TLS, which net/http does not see
//	                                       peerstate*.go: the peer's state in the kernel
//
// Rules that hold everywhere:
//
//   - A connection counts from Accept until its socket is closed, also while it lingers. One that gives way to another counts no more.
//   - HTTP/1 passes through as it is. A connection is HTTP/2 once its whole preface has been read, in clear and over TLS alike.
//   - Over HTTP/2 at most maxCoalesced bytes wait to be written, and only until the goroutines that are ready to run have run. While the
//     peer takes nothing, writers wait, and nothing is buffered. Nothing waits for data that has not been written yet.
//   - One write takes at most writeTimeout; then the connection has failed.
//   - Close and Abort return at once. A goroutine of the connection does the rest, within closeGrace or the bounds of linger.go.
//   - Locks are taken in the order Conn.mu, Group.mu. Neither is held during a system call that may wait for the peer.
package connections

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Listener accepts connections for a Group. Make it with [Group.Listen].
type Listener struct {
	net.Listener
	group     *Group
	tls       *tls.Config // nil = cleartext
	yield     func()      // lets other goroutines run
	lingering lingering
	open      sync.WaitGroup // connections whose sockets are open
}

// Listen returns a listener whose connections count among those of the group. Over them TLS is spoken, unless config is nil.
// The http.Server that serves it has to be attached, see [Attach].
func (g *Group) Listen(ln net.Listener, config *tls.Config) *Listener {
	return &Listener{Listener: ln, group: g, tls: config, yield: runtime.Gosched}
}

// Accept returns a *Conn.
func (l *Listener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := l.newConn(raw)
	l.group.admit(c)
	return c, nil
}

func (l *Listener) newConn(raw net.Conn) *Conn {
	l.open.Add(1)
	c := &Conn{Conn: raw, raw: raw, listener: l, head: head{max: l.group.limits.HeadLines}}
	if l.tls != nil {
		c.Conn = tls.Server(raw, l.tls)
	}
	c.writeDone.L = &c.mu
	return c
}

// Finish cuts off the connections that linger and returns when all sockets are closed. The http.Server has to be closed or shut down before.
func (l *Listener) Finish() {
	l.lingering.end()
	l.open.Wait()
}

// Conn is a connection to a peer, as net/http sees it. Its exported methods may be called concurrently. Those beyond [net.Conn] accept a
// nil Conn, for handlers that are served without a Listener.
type Conn struct {
	net.Conn          // reads and writes in clear: raw, or TLS around it
	raw      net.Conn // below TLS
	listener *Listener

	// These belong to the Group.
	address   netip.Addr // that it counts for, see limit.Address
	proxy     bool       // the peer is one of Limits.Proxies
	reserved  bool       // it came over a limit
	counted   bool       // it is among those that the limits count. Group.mu guards this and what follows
	idleSince time.Time  // zero = a request is under way, or none has come yet
	links     [idleLists]idleLinks

	// These belong to the goroutine that reads.
	prefaceRead int           // bytes of clientPreface, -1 = something else was read
	head        head          // of the HTTP/1 request that is being read
	refused     bool          // the head has too many lines; the connection is of no use any more
	plainTold   bool          // a peer in clear was told that TLS is spoken here
	ahead       *bufio.Reader // over HTTP/2: reads ahead from Conn

	http2      atomic.Bool
	serving    atomic.Bool // an HTTP/1 request is being served
	bodyUnread atomic.Bool // more of its body may come
	writeBegan atomic.Int64
	deadline   readDeadline

	mu            sync.Mutex
	pending       []byte    // waits to be written by a flush that is on its way; nil = nothing
	writing       bool      // a goroutine writes to Conn
	writeDone     sync.Cond // writing has become false
	writeDeadline time.Time
	err           error // why writing failed
	closed        bool  // Close was called
	noFarewell    bool  // TLS is closed without close_notify: writing that would wait for the peer
	socketClosed  bool
}

type connKey struct{}

// Attach makes srv report the states of its connections, and makes [Of] find the connection of a request.
func Attach(srv *http.Server) {
	srv.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		if c, ok := conn.(*Conn); ok {
			return context.WithValue(ctx, connKey{}, c)
		}
		return ctx
	}
	srv.ConnState = func(conn net.Conn, state http.ConnState) {
		if c, ok := conn.(*Conn); ok {
			c.follow(state)
		}
	}
}

// Of returns the connection of the request that ctx belongs to, nil where it is not known.
func Of(ctx context.Context) *Conn {
	c, _ := ctx.Value(connKey{}).(*Conn)
	return c
}

// follow is called by net/http when the head of a request was read (StateActive), and when the next request may come (StateIdle).
func (c *Conn) follow(state http.ConnState) {
	if state != http.StateActive && state != http.StateIdle {
		return
	}
	idle := state == http.StateIdle
	if !c.http2.Load() {
		c.head = head{max: c.head.max, ended: !idle}
		c.serving.Store(!idle)
		c.bodyUnread.Store(!idle) // until BodyLeft says more
	}
	c.listener.group.follow(c, idle)
}

// BodyLeft records whether the body of the HTTP/1 request that was served has not been read to its end. Until it is called the body
// counts as unread.
func (c *Conn) BodyLeft(unread bool) {
	if c != nil {
		c.bodyUnread.Store(unread)
	}
}

// InReserve reports whether the connection came over a limit, and is there for questions about health only.
func (c *Conn) InReserve() bool { return c != nil && c.reserved }
