package server

import (
	"net/http"
	"sync"
	"time"

	"example.org/avatard/server/internal/connections"
)

const (
	// sendPiece is how much of a picture is written at once, in bytes, and so the unit in which progress is seen. A peer that takes nothing
	// keeps one piece in memory for the moment that breaking off takes.
	sendPiece = slowBytes
	// breakOff is how long before the end of MaxReadDuration a picture over HTTP/2 is broken off with a reset of its stream. Where
	// not even that could be written when the time is over, the peer takes nothing at all and loses its connection.
	breakOff = time.Second
)

var sendPieces = sync.Pool{New: func() any { return new([sendPiece]byte) }}

// outgoingPicture is a picture that is being sent to a reader. It ends within MaxReadDuration after the store has returned it,
// and before that when the reader is slow and other calls need its memory.
type outgoingPicture struct {
	room    readBudget
	bytes   lease
	turn    lease
	control *http.ResponseController
	conn    *connections.Conn // nil = unknown
	http1   bool
	large   bool // sent in pieces

	mu    sync.Mutex
	whole []byte // the picture
	data  []byte // what is left of it to be written
	cut   bool   // the rest is not written
	ended bool   // the handler is done
	begun time.Time
	timer *time.Timer // over HTTP/2
	stuck int64       // since when conn had been writing at the first look of expire
}

// send acquires memory for a picture that is to be sent. The caller must end it.
func (s *Server) send(w http.ResponseWriter, r *http.Request, size int) (*outgoingPicture, error) {
	room, of := s.readRoom(callOf(r.Context()))
	t := &outgoingPicture{room: room, control: http.NewResponseController(w), conn: connections.Of(r.Context()), http1: r.ProtoMajor == 1}
	if err := t.room.bytes.acquire(r.Context(), &t.bytes, of, max(size, leastRead), t); err != nil {
		return nil, err
	}
	return t, nil
}

// readRoom returns the budget that a call shares with others, and whom it counts for there.
func (s *Server) readRoom(c *call) (readBudget, semaphoreKey) {
	if c.identified {
		return s.known, semaphoreKey{caller: c.caller.Subject}
	}
	return s.strangers, semaphoreKey{address: c.network}
}

// begin takes over the bytes. It reports false when their memory was taken away.
func (t *outgoingPicture) begin(data []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cut {
		return false
	}
	t.bytes.resize(max(len(data), leastRead))
	t.bytes.progress(slowBytes) // the store was slow up to here, not the reader
	t.whole, t.data, t.begun, t.large = data, data, time.Now(), len(data) > sendPiece
	if t.http1 {
		_ = t.control.SetWriteDeadline(t.begun.Add(MaxReadDuration))
	} else {
		t.timer = time.AfterFunc(MaxReadDuration-breakOff, t.expire)
	}
	return true
}

// write writes the picture for as long as it is not broken off.
func (t *outgoingPicture) write(w http.ResponseWriter) {
	var buffer *[sendPiece]byte
	if t.large { // a small picture is one piece, which cannot be let go of while it is being written
		buffer = sendPieces.Get().(*[sendPiece]byte)
	}
	for {
		piece := t.next(buffer)
		if len(piece) == 0 {
			break
		}
		n, err := w.Write(piece) //nolint:gosec // a picture, of a type that we say, under a policy that lets nothing run
		if err != nil {
			t.abandon()
			return
		}
		t.bytes.progress(n)
	}
	if buffer != nil {
		clear(buffer[:])
		sendPieces.Put(buffer)
	}
	if !t.http1 {
		_ = t.control.Flush() // waits until the peer takes it, here where expire watches, and not later in net/http
	}
}

// next takes the next piece of what is left, in buffer unless that is nil.
func (t *outgoingPicture) next(buffer *[sendPiece]byte) (piece []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if buffer == nil {
		piece, t.data = t.data, nil
		return piece
	}
	n := copy(buffer[:], t.data)
	t.data = t.data[n:]
	return buffer[:n]
}

// abandon keeps the piece whose write failed out of use: over HTTP/2, net/http gives up a write that another goroutine may still be
// making, and a piece that was used again would go to the wrong reader.
func (t *outgoingPicture) abandon() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.large {
		t.whole = nil
	}
}

// evict breaks the sending off for a call that needs the memory.
func (t *outgoingPicture) evict() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended || t.cut {
		return
	}
	t.breakOff()
	if t.timer != nil {
		t.timer.Reset(breakOff)
	}
}

// breakOff lets go of the bytes and ends the answer. The caller holds mu.
func (t *outgoingPicture) breakOff() {
	t.cut, t.data = true, nil
	if t.large { // else its only piece may be on its way
		clear(t.whole)
		t.whole = nil
	}
	if t.begun.IsZero() {
		return // the answer can still be another one
	}
	_ = t.control.SetWriteDeadline(longAgo)
	if t.http1 {
		t.conn.Abort()
	}
}

// expire looks after a picture over HTTP/2 when its time is nearly over, and again when it is.
func (t *outgoingPicture) expire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	writing := t.conn.WritingSince()
	switch {
	case !t.ended && !t.cut:
		t.breakOff()
	case !t.ended, t.stuck != 0 && writing == t.stuck:
		t.conn.Abort()
		return
	case t.stuck != 0 || writing == 0:
		return
	}
	t.stuck = writing
	t.timer.Reset(breakOff)
}

// end gives the memory back.
func (t *outgoingPicture) end() {
	t.mu.Lock()
	t.ended, t.data = true, nil
	clear(t.whole)
	t.whole = nil
	// The last bytes may still be on their way through the connection. A quick reader has taken them in time.
	if t.timer != nil && time.Since(t.begun) < breakOff {
		t.timer.Stop()
	}
	t.mu.Unlock()
	t.bytes.release()
}
