package connections

import (
	"errors"
	"net"
	"sync"
	"time"
)

const (
	// maxCoalesced bounds the bytes that wait to be written: a few answers to calls. A larger piece, of a picture or joined by net/http
	// itself, is written at once, behind those that wait.
	maxCoalesced = 512
	// writeTimeout is how long one write may take. A write has at least LeastWriteTime, since the deadline is not renewed for each. A peer that
	// takes a few bytes now and then does not postpone it. A frame has 16 KiB unless the peer asks for larger ones.
	writeTimeout = 10 * time.Second
	// LeastWriteTime is how long a peer has to take one write over HTTP/2.
	LeastWriteTime = 9 * time.Second
)

var writeBuffers = sync.Pool{New: func() any { return new([maxCoalesced]byte) }}

// Write writes p. Over HTTP/2 it keeps a small p until the goroutines that are ready have run, and joins it with what they write: net/http
// writes each frame by itself where no other one is ready at that moment, and an answer over gRPC has three. Write waits while the peer
// does not take what was written before. It reports an earlier failure.
func (c *Conn) Write(p []byte) (int, error) {
	if !c.http2.Load() {
		if c.refused {
			return len(p), nil // the answer was written by refuseHead
		}
		return c.Conn.Write(p)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.writing {
		c.writeDone.Wait()
	}
	switch {
	case c.err != nil:
		return 0, c.err
	case c.closed:
		return 0, net.ErrClosed
	case len(c.pending)+len(p) > maxCoalesced:
		return c.writeThrough(p)
	}
	if c.pending == nil {
		c.pending = writeBuffers.Get().(*[maxCoalesced]byte)[:0]
		go c.flush()
	}
	c.pending = append(c.pending, p...)
	return len(p), nil
}

// flush writes the pending bytes once the other goroutines have had a turn and added no more.
func (c *Conn) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for before := 0; len(c.pending) > before; {
		before = len(c.pending)
		c.mu.Unlock()
		c.listener.yield()
		c.mu.Lock()
	}
	if c.pending != nil {
		_, _ = c.writeThrough(nil)
	}
}

// writeThrough writes the pending bytes, and then p. It returns how much of p was written. The caller holds mu, which is free meanwhile.
func (c *Conn) writeThrough(p []byte) (n int, err error) {
	before := c.pending
	c.pending, c.writing = nil, true
	if before != nil {
		_ = c.writeAll(before)
		writeBuffers.Put((*[maxCoalesced]byte)(before[:maxCoalesced]))
	}
	n = c.writeAll(p)
	c.writing = false
	c.writeDone.Broadcast()
	if c.closed || c.err != nil {
		_ = c.closeSocket()
	}
	return n, c.err
}

// writeAll writes p and keeps the failure. The caller holds mu, which is free meanwhile.
func (c *Conn) writeAll(p []byte) (n int) {
	if len(p) == 0 || c.err != nil {
		return 0
	}
	c.extendDeadline()
	c.mu.Unlock()
	n, err := c.timedWrite(p)
	c.mu.Lock()
	if err != nil && c.err == nil {
		c.err = err
	}
	return n
}

// extendDeadline renews the write deadline where a write would have less than LeastWriteTime. Setting it for each write would cost a timer each time.
func (c *Conn) extendDeadline() {
	if now := time.Now(); !c.closed && c.writeDeadline.Sub(now) < LeastWriteTime {
		c.writeDeadline = now.Add(writeTimeout)
		_ = c.Conn.SetWriteDeadline(c.writeDeadline)
	}
}

// timedWrite writes to Conn over HTTP/2. Meanwhile WritingSince returns when it began.
func (c *Conn) timedWrite(p []byte) (int, error) {
	c.writeBegan.Store(time.Now().UnixNano())
	defer c.writeBegan.Store(0)
	return c.Conn.Write(p)
}

// WritingSince returns when the write over HTTP/2 began that is under way, in Unix nanoseconds. 0 = there is none, or it is not known.
func (c *Conn) WritingSince() int64 {
	if c == nil {
		return 0
	}
	return c.writeBegan.Load()
}

// SetWriteDeadline does nothing over HTTP/2, where each write has writeTimeout.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	if c.http2.Load() {
		return nil
	}
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}
