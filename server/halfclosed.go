package server

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// readDeadline is the read deadline of a connection, for a read that waits although there is nothing to read any more.
type readDeadline struct {
	mu      sync.Mutex
	at      time.Time
	changed chan struct{} // closed when it changes; nil = nobody waits
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

// isAwaited reports whether somebody waits for the deadline.
func (d *readDeadline) isAwaited() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed != nil
}

// isEnd reports whether a read found the end of what the peer sends: by FIN, or by TLS's own word for it.
func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// holdEnd keeps the end of what a peer sends to itself until the request that is being served has its answer. net/http reads one byte ahead
// then, and takes the end for a peer that has gone: it would cancel a call whose caller has sent all there is to send, closed that
// direction, and waits (shutdown(SHUT_WR), "nc -N"; RFC 9112 section 9.6). When the answer is out net/http sets a deadline in the past, and
// reads again. Meanwhile the call ends by its own deadline, as for a peer that goes away without a word; one that resets the
// connection, or to which nothing can be written, is gone as ever.
func (c *gatheredConn) holdEnd() (int, error) {
	c.deadline.wait()
	return 0, os.ErrDeadlineExceeded
}

// SetReadDeadline sets the deadline also for holdEnd.
func (c *gatheredConn) SetReadDeadline(t time.Time) error {
	c.deadline.set(t)
	return c.Conn.SetReadDeadline(t)
}
