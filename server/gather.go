package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxGathered bounds what waits on a connection to be written, in bytes: a few answers to calls. What is larger, because
	// it is a picture or because the HTTP/2 server has gathered it itself meanwhile, goes past it.
	maxGathered = 512
	// writeTimeout is how long one write may take, down to writeTimeoutSlack less. Whatever a peer takes meanwhile does not put it off: a frame
	// has 16 KiB unless the peer wants them larger.
	writeTimeout      = 10 * time.Second
	writeTimeoutSlack = time.Second
	// closeGrace is how long a connection that is closed may take for what was written before.
	closeGrace = time.Second
	// frameHeader is the size of what comes before each HTTP/2 frame (RFC 9113 section 4.1), in bytes. net/http reads it by itself, and before
	// that other goroutines have their turn. The goroutines that read a connection wake each other and so keep the processor for 10 ms, in
	// which they make all the requests that a connection may have; these would wait behind those of a thousand other connections until their
	// handlers run and refuse them.
	frameHeader = 9
)

// gatherListener accepts connections that gather what HTTP/2 writes.
//
// The HTTP/2 server writes each frame with a system call of its own when it has nothing else to write at that moment, and an
// answer over gRPC is three frames: so many system calls, packets, and times that the peer wakes up. It reads a frame
// in two pieces, with one each.
type gatherListener struct {
	net.Listener
	tls       *tls.Config    // what is spoken around HTTP. nil = nothing
	counted   *connections   // counts them. nil = nobody does
	lingering *lingering     // nil = none lingers
	yield     func()         // lets other goroutines run. nil = runtime.Gosched
	open      sync.WaitGroup // connections that are not closed
}

func (l *gatherListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.open.Add(1)
	c := &gatheredConn{Conn: encrypt(conn, l.tls), raw: conn, listener: l}
	c.written.L = &c.mu
	if l.counted != nil {
		l.counted.enter(c)
	}
	return c, nil
}

func (l *gatherListener) letOthersRun() {
	if l.yield != nil {
		l.yield()
	} else {
		runtime.Gosched()
	}
}

// gatheredConn is a connection that hands small writes on from a goroutine of its own, all that have come together in one, and
// reads ahead. Before its first bytes have shown that it is cleartext HTTP/2 it is as it was.
type gatheredConn struct {
	net.Conn
	raw       net.Conn // below TLS
	head      head
	refused   bool // the head of a request: for good
	listener  *gatherListener
	address   netip.Addr // that it is counted for
	reserved  bool       // it is out of the reserve
	proxy     bool       // its peer is one of Config.Proxies
	counted   bool       // among the connections of listener.counted, whose lock guards it and what follows
	idle      time.Time  // since when no request is under way on it, zero = there is one, or none has been yet
	links     [idleLists]idleLinks
	answering atomic.Bool // a request of HTTP/1 is being served
	unread    atomic.Bool // more of one may come
	deadline  readDeadline
	gathers   atomic.Bool
	since     atomic.Int64  // when the write of Conn that is under way began, in Unix nanoseconds, 0 = there is none
	preface   int           // how much of the client's preface was read, -1 when it was something else
	ahead     *bufio.Reader // what is read from instead of Conn, unless nil
	told      bool          // the peer was told that TLS is spoken here

	mu      sync.Mutex
	written sync.Cond // writing has ended
	pending []byte    // nil, or a buffer out of gatherBuffers whose flush is on its way; nil while writing
	writing bool      // somebody writes to Conn
	until   time.Time // write deadline of Conn
	err     error     // why writing failed
	closed  bool      // Close was called
	cut     bool      // TLS says no farewell: it would wait for the peer to take it
	gone    bool      // Conn is closed
}

var gatherBuffers = sync.Pool{New: func() any { return new([maxGathered]byte) }}

func (c *gatheredConn) Read(p []byte) (int, error) {
	if c.ahead != nil {
		if len(p) == frameHeader {
			c.listener.letOthersRun()
		}
		return c.ahead.Read(p)
	}
	if c.refused {
		return 0, io.EOF
	}
	n, err := c.Conn.Read(p)
	c.match(p[:n])
	switch {
	case err != nil && n == 0 && len(p) == 1 && c.answering.Load() && isEnd(err):
		return c.holdEnd()
	case err != nil && n == 0:
		return 0, c.unencrypted(err)
	case !c.gathers.Load() && !c.head.read(p[:n]):
		return 0, c.refuseHead()
	}
	return n, err
}

// clientPreface begins a cleartext HTTP/2 connection (RFC 9113 section 3.4). After less than all of it net/http speaks HTTP/1.
const clientPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// match begins to gather when the client's preface was read.
func (c *gatheredConn) match(read []byte) {
	for _, b := range read {
		switch {
		case c.preface < 0:
			return
		case b != clientPreface[c.preface]:
			c.preface = -1
			return
		}
		if c.preface++; c.preface == len(clientPreface) {
			c.preface = -1
			c.ahead = bufio.NewReader(c.Conn)
			c.gathers.Store(true)
		}
	}
}

// Write keeps p for a moment, or waits while the peer does not take what was written before.
func (c *gatheredConn) Write(p []byte) (int, error) {
	if !c.gathers.Load() {
		if c.refused {
			return len(p), nil // the request has its answer
		}
		return c.writeConn(p)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.writing {
		c.written.Wait()
	}
	switch {
	case c.err != nil:
		return 0, c.err
	case c.closed:
		return 0, net.ErrClosed
	case len(c.pending)+len(p) > maxGathered:
		return c.write(p)
	}
	if c.pending == nil {
		c.pending = gatherBuffers.Get().(*[maxGathered]byte)[:0]
		go c.flush()
	}
	c.pending = append(c.pending, p...)
	return len(p), nil
}

// flush writes what is pending.
func (c *gatheredConn) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	// What can go on at once does so first: the next frame of the same answer, above all. Nobody waits for what is not here.
	for before := 0; len(c.pending) > before; {
		before = len(c.pending)
		c.mu.Unlock()
		c.listener.letOthersRun()
		c.mu.Lock()
	}
	if c.pending != nil {
		_, _ = c.write(nil)
	}
}

// write writes what is pending, and p. It returns how much of p was written. The caller holds mu, which is free meanwhile.
func (c *gatheredConn) write(p []byte) (n int, err error) {
	before := c.pending
	c.pending, c.writing = nil, true
	if before != nil {
		_ = c.writeAll(before)
		gatherBuffers.Put((*[maxGathered]byte)(before[:maxGathered]))
	}
	n = c.writeAll(p)
	c.writing = false
	c.written.Broadcast()
	if c.closed || c.err != nil {
		_ = c.shut()
	}
	return n, c.err
}

func (c *gatheredConn) writeAll(p []byte) (n int) {
	if len(p) == 0 || c.err != nil {
		return 0
	}
	c.extend()
	c.mu.Unlock()
	n, err := c.writeConn(p)
	c.mu.Lock()
	if err != nil && c.err == nil {
		c.err = err
	}
	return n
}

// writeConn writes to Conn and lets others see since when.
func (c *gatheredConn) writeConn(p []byte) (int, error) {
	c.since.Store(time.Now().UnixNano())
	defer c.since.Store(0)
	return c.Conn.Write(p)
}

// writingSince tells when the write began that is under way, 0 = none, or nobody knows.
func (c *gatheredConn) writingSince() int64 {
	if c == nil {
		return 0
	}
	return c.since.Load()
}

// extend puts the write deadline off. To do that for each write would cost more than it is worth.
func (c *gatheredConn) extend() {
	if now := time.Now(); !c.closed && c.until.Sub(now) < writeTimeout-writeTimeoutSlack {
		c.until = now.Add(writeTimeout)
		_ = c.Conn.SetWriteDeadline(c.until)
	}
}

// Close closes the connection once what was written before has left, at the latest after closeGrace. It waits for nothing.
func (c *gatheredConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.closed = true
	c.deadline.set(longAgo)
	if c.pending == nil && !c.writing {
		if c.lingers() {
			return nil
		}
		return c.shut()
	}
	now := time.Now()
	return errors.Join(c.Conn.SetReadDeadline(now), c.Conn.SetWriteDeadline(now.Add(closeGrace)))
}

// abort closes the connection at once, and what was written and not taken is lost.
func (c *gatheredConn) abort() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.deadline.set(longAgo)
	if c.err == nil {
		c.err = net.ErrClosed
	}
	if c.gone {
		_ = c.raw.Close() // it may still be saying farewell
	} else {
		c.cut = true
		if tcp, ok := c.raw.(interface{ SetLinger(seconds int) error }); ok {
			_ = tcp.SetLinger(0) // what the kernel still has is thrown away
		}
	}
	_ = c.shut()
}

type connKey struct{}

// rememberConn lets the calls on a connection find it.
func rememberConn(ctx context.Context, conn net.Conn) context.Context {
	if gathered, ok := conn.(*gatheredConn); ok {
		return context.WithValue(ctx, connKey{}, gathered)
	}
	return ctx
}

// connOf returns the connection of a call, nil where it is not known.
func connOf(ctx context.Context) *gatheredConn {
	conn, _ := ctx.Value(connKey{}).(*gatheredConn)
	return conn
}

// shut closes Conn, once. It does not wait: the farewell of TLS takes seconds where a peer takes nothing. The caller holds mu.
func (c *gatheredConn) shut() error {
	if c.gone {
		return nil
	}
	c.gone = true
	if c.cut || c.err != nil || c.raw == c.Conn { // what failed has no farewell
		defer c.left()
		return c.raw.Close()
	}
	go func() {
		defer c.left()
		_ = c.Conn.Close()
	}()
	return nil
}

// left tells those who count that the connection is closed.
func (c *gatheredConn) left() {
	if c.listener.counted != nil {
		c.listener.counted.leave(c)
	}
	c.listener.open.Done()
}

// SetWriteDeadline does nothing on a connection that gathers: it has its own rule, writeTimeout.
func (c *gatheredConn) SetWriteDeadline(t time.Time) error {
	if c.gathers.Load() {
		return nil
	}
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline sets both deadlines.
func (c *gatheredConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}
