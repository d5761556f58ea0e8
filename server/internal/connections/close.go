package connections

import (
	"errors"
	"net"
	"time"
)

// closeGrace bounds how long bytes that were written before Close take to leave, and how long TLS takes to send its close_notify to a peer
// that lingers.
const closeGrace = time.Second

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// Close closes the connection once all bytes that were written before have left, at the latest after closeGrace. Where more of a request may come the
// connection lingers. Close returns at once.
func (c *Conn) Close() error {
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
		return c.closeSocket()
	}
	now := time.Now()
	return errors.Join(c.Conn.SetReadDeadline(now), c.Conn.SetWriteDeadline(now.Add(closeGrace)))
}

// Abort closes the connection at once. Bytes that were written and not taken by the peer are lost.
func (c *Conn) Abort() {
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
	if c.socketClosed {
		_ = c.raw.Close() // TLS may still be sending its close_notify
		return
	}
	c.noFarewell = true
	if tcp, ok := c.raw.(interface{ SetLinger(seconds int) error }); ok {
		_ = tcp.SetLinger(0) // the kernel discards what it has
	}
	_ = c.closeSocket()
}

// closeSocket closes Conn, once. It does not wait: where a peer takes nothing the close_notify of TLS takes seconds. The caller holds mu.
func (c *Conn) closeSocket() error {
	if c.socketClosed {
		return nil
	}
	c.socketClosed = true
	if c.noFarewell || c.err != nil || c.raw == c.Conn { // nothing can be said on a connection that has failed
		defer c.leave()
		return c.raw.Close()
	}
	go func() {
		defer c.leave()
		_ = c.Conn.Close()
	}()
	return nil
}

// leave takes the connection off the counts.
func (c *Conn) leave() {
	c.listener.group.leave(c)
	c.listener.open.Done()
}
