package server

import (
	"net/http"
	"time"

	"example.org/avatard/server/internal/connections"
)

// departedInterval is how often an upload that waits for room looks whether its client is still there.
const departedInterval = time.Second

// departure finds out whether the client of an HTTP/1.1 request whose body is unread has gone. net/http, which reads in the
// background to notice that, does so only once a body was read to its end.
type departure struct {
	conn   *connections.Conn // nil = unknown, or net/http looks itself
	writer http.ResponseWriter
	asked  bool // the client was sent something that a socket which is closed answers with a reset
}

func newDeparture(w http.ResponseWriter, r *http.Request) departure {
	if r.ProtoMajor != 1 || r.ContentLength == 0 {
		return departure{}
	}
	return departure{conn: connections.Of(r.Context()), writer: innermost(w), asked: !r.ProtoAtLeast(1, 1)} // HTTP/1.0 has no interim answers
}

// gone looks at the connection without reading from it. A client whose connection was reset has gone. One that has sent the end of its
// data may still want an answer (a half-closed connection), so it is asked, once: an interim answer 100, which every client has to
// accept (RFC 9110 section 15.2), makes the system of a client that has closed its socket send a reset (RFC 9293 section 3.6.1), which the
// next look sees. Only the handler's goroutine may call it.
func (d *departure) gone() bool {
	switch d.conn.PeerState() {
	case connections.PeerReset:
		return true
	case connections.PeerEnded:
		if !d.asked {
			d.asked = true
			d.writer.WriteHeader(http.StatusContinue)
		}
	}
	return false
}
