package connections

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// readDeadline is the read deadline of a connection, for a read that waits although nothing comes any more.
type readDeadline struct {
	mu      sync.Mutex
	at      time.Time
	changed chan struct{} // closed when it changes; nil = no read waits
}

func (d *readDeadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = t
	if d.changed != nil {
		close(d.changed)
		d.changed = nil
	}
}

// wait returns when the deadline has passed.
func (d *readDeadline) wait() {
	for {
		d.mu.Lock()
		at := d.at
		changed := make(chan struct{})
		d.changed = changed
		d.mu.Unlock()
		var passed <-chan time.Time
		if !at.IsZero() {
			timer := time.NewTimer(time.Until(at))
			defer timer.Stop()
			passed = timer.C
		}
		select {
		case <-passed:
			return
		case <-changed:
		}
	}
}

// isEnd reports whether a read found the end of what the peer sends: FIN, or close_notify of TLS.
func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// holdEnd holds the end of the peer's data back until the request that is being served has its answer. net/http reads one byte ahead while it
// serves a request, and takes the end for a peer that has gone: it would cancel the call of a peer that has sent everything, has closed that
// direction, and waits for its answer (shutdown(SHUT_WR), "nc -N"; RFC 9112 section 9.6). After the answer net/http sets a deadline in the
// past and reads again. If the peer has really gone the call ends by its own deadline. A reset, or a write that fails, ends the call
// as usual.
func (c *Conn) holdEnd() (int, error) {
	c.deadline.wait()
	return 0, os.ErrDeadlineExceeded
}

// HoldsEnd reports whether the peer has sent everything while its request is being served. Tests wait for that.
func (c *Conn) HoldsEnd() bool {
	if c == nil {
		return false
	}
	c.deadline.mu.Lock()
	defer c.deadline.mu.Unlock()
	return c.deadline.changed != nil
}

// SetReadDeadline sets the deadline, also that of holdEnd.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.deadline.set(t)
	return c.Conn.SetReadDeadline(t)
}
