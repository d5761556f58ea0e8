package server

import (
	"net/http"
	"syscall"
	"time"
)

// departedInterval is how often an upload that waits for room looks whether its client is still there.
const departedInterval = time.Second

// departure tells whether the client of an HTTP/1.1 request whose body is unread has gone. net/http, which reads in the
// background to notice that, does so only once a body was read to its end.
type departure struct {
	conn   *gatheredConn // nil = unknown
	writer http.ResponseWriter
	asked  bool // the client was sent something that a socket which is closed answers with a reset
}

// newDeparture returns one that never says so where the end of the connection is not known, or net/http sees it.
func newDeparture(w http.ResponseWriter, r *http.Request) departure {
	if r.ProtoMajor != 1 || r.ContentLength == 0 {
		return departure{}
	}
	return departure{conn: connOf(r.Context()), writer: innermost(w), asked: !r.ProtoAtLeast(1, 1)} // HTTP/1.0 knows no interim answers
}

// gone looks at the connection without reading from it. A connection that was reset is gone. One whose client has sent the end of its
// data may still want an answer (a half-closed connection), so it is asked, once: an interim answer 100, which every client has to
// accept (RFC 9110 section 15.2), makes the system of a client that has closed its socket send a reset (RFC 9293 section 3.6.1), which the
// next look sees. Only the handler's goroutine may call it.
func (d *departure) gone() bool {
	if d.conn == nil {
		return false
	}
	switch stateOf(d.conn.raw) {
	case connReset:
		return true
	case connEnded:
		if !d.asked {
			d.asked = true
			d.writer.WriteHeader(http.StatusContinue)
		}
	}
	return false
}

// connState is what the system knows of the other end of a connection.
type connState int

const (
	connOpen  connState = iota // or nobody knows
	connEnded                  // its end sends nothing more
	connReset
)

// stateOf returns the state of a connection, connOpen where the system does not tell.
func stateOf(conn any) connState {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return connOpen
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return connOpen
	}
	state := connOpen
	if err := raw.Control(func(fd uintptr) { state = socketState(fd) }); err != nil {
		return connOpen // closed here, and the context of its calls has ended
	}
	return state
}
