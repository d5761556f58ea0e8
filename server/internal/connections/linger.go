package connections

import (
	"crypto/tls"
	"slices"
	"sync"
	"time"
)

// A peer that is still sending when its connection is closed gets a reset, and may lose the answer with it. So a connection on
// which more of a request may come lingers: it is closed for writing, and read for as long as the peer sends (RFC 9112 section 9.6).
const (
	// lingerTime and lingerBytes bound the reading: 32 MiB are more than any picture that people send by mistake.
	lingerTime  = 30 * time.Second
	lingerBytes = 32 << 20
	// lingerPiece is how many bytes a peer has to send within lingerPatience for the reading to go on.
	lingerPiece    = 16 << 10
	lingerPatience = 2 * time.Second
	// maxLingering connections of a listener linger at once, lingerShare of one address, proxyLingerShare of one of Limits.Proxies. The oldest
	// is cut off for another one.
	maxLingering     = 256
	lingerShare      = 16
	proxyLingerShare = maxLingering / 2
)

// lingering are the connections of a listener that linger.
type lingering struct {
	mu    sync.Mutex
	conns []*Conn // oldest first
	ended bool
}

// enter lets a connection linger, and cuts off the one that has to go for it. It reports false once the listener has finished.
func (l *lingering) enter(c *Conn) bool {
	l.mu.Lock()
	if l.ended {
		l.mu.Unlock()
		return false
	}
	gone := l.toCut(c)
	l.remove(gone)
	l.conns = append(l.conns, c)
	l.mu.Unlock()
	gone.Abort()
	return true
}

// toCut returns the connection that has to go for another one, nil = none has to. The caller holds mu.
func (l *lingering) toCut(another *Conn) *Conn {
	share := lingerShare
	if another.proxy {
		share = proxyLingerShare
	}
	own, first := 0, -1
	for i, c := range l.conns {
		if c.address == another.address {
			if own++; first < 0 {
				first = i
			}
		}
	}
	switch {
	case own >= share:
		return l.conns[first]
	case len(l.conns) >= maxLingering:
		return l.conns[0]
	}
	return nil
}

// remove takes a connection out, if it is there. The caller holds mu.
func (l *lingering) remove(c *Conn) {
	if i := slices.Index(l.conns, c); i >= 0 {
		l.conns = slices.Delete(l.conns, i, i+1)
	}
}

func (l *lingering) leave(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remove(c)
}

// end cuts all off. No connection lingers after it.
func (l *lingering) end() {
	l.mu.Lock()
	conns := l.conns
	l.conns, l.ended = nil, true
	l.mu.Unlock()
	for _, c := range conns {
		c.Abort()
	}
}

// halfCloser is a connection that can be closed for writing alone.
type halfCloser interface{ CloseWrite() error }

// lingers begins to linger where more of a request may come, and reports whether it does. The caller holds mu.
func (c *Conn) lingers() bool {
	raw, ok := c.raw.(halfCloser)
	if !ok || c.http2.Load() || !c.bodyUnread.Load() {
		return false
	}
	go c.linger(raw)
	return true
}

// CloseWrite is called by net/http half a second before Close where it does not read a request to its end. The connection counts as closed from
// then on, and lingers.
func (c *Conn) CloseWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed && c.lingers() {
		c.closed = true
	}
	return nil
}

// linger closes the connection for writing, discards the bytes that still arrive, and closes it. It reads below TLS and decrypts nothing.
func (c *Conn) linger(raw halfCloser) {
	lingering := &c.listener.lingering
	if lingering.enter(c) {
		if secure, ok := c.Conn.(*tls.Conn); ok {
			_ = secure.SetWriteDeadline(time.Now().Add(closeGrace))
			_ = secure.CloseWrite()
		}
		if raw.CloseWrite() == nil {
			c.discard()
		}
		lingering.leave(c)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noFarewell = true // CloseWrite has sent it
	_ = c.closeSocket()
}

var lingerBuffers = sync.Pool{New: func() any { return new([lingerPiece]byte) }}

// discard reads until the peer has sent everything, or until a bound is reached.
func (c *Conn) discard() {
	buf := lingerBuffers.Get().(*[lingerPiece]byte)
	defer func() {
		clear(buf[:])
		lingerBuffers.Put(buf)
	}()
	end := time.Now().Add(lingerTime)
	for left := lingerBytes; left > 0; left -= lingerPiece {
		_ = c.raw.SetReadDeadline(earlier(time.Now().Add(lingerPatience), end))
		for piece := 0; piece < lingerPiece; {
			n, err := c.raw.Read(buf[:])
			if err != nil {
				return
			}
			piece += n
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
