package server

import (
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// maxArriving bounds the bodies of uploads that are being read or wait for their turn, in bytes, and more where
	// pictures may be larger than 4 MiB: eight of them. One caller gets a quarter.
	maxArriving = 32 << 20
	// leastArriving is what a small or unfinished body counts as.
	leastArriving = 16 << 10
	// uploadPatience is how long an upload waits for those of its own caller to end, and then for its turn to be worked on.
	uploadPatience = 10 * time.Second
)

// longAgo is a deadline that makes whoever reads or writes fail at once.
var longAgo = time.Unix(1, 0)

// arriving is the body of an upload on its way into memory.
type arriving struct {
	io.ReadCloser
	room    lease
	control *http.ResponseController
	client  departure

	mu    sync.Mutex
	ended bool
}

// arrive finds room for the body of an upload, which is r's from then on. Somebody has to end it.
func (s *Server) arrive(w http.ResponseWriter, r *http.Request) (*arriving, error) {
	size := r.ContentLength
	if size < 0 {
		size = int64(s.config.Pictures.MaxUploadBytes() + maxFormBytes)
	}
	a := &arriving{ReadCloser: r.Body, control: http.NewResponseController(w), client: newDeparture(w, r)}
	of := semaphoreKey{caller: callOf(r.Context()).caller.Subject}
	if err := s.arriving.acquire(r.Context(), &a.room, of, max(int(size), leastArriving), a); err != nil {
		return nil, err
	}
	r.Body = a
	return a, nil
}

func (a *arriving) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	a.room.progress(n)
	return n, err
}

// evict breaks the reading off: the body comes too slowly, and others need the room.
func (a *arriving) evict() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.ended {
		_ = a.control.SetReadDeadline(longAgo)
	}
}

// gone reports whether the client has left while it waits for room.
func (a *arriving) gone() bool { return a.client.gone() }

// complete tells that nothing more is read. It reports false when the reading was broken off.
func (a *arriving) complete() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = true
	return a.room.pin()
}

// end gives the room back.
func (a *arriving) end() {
	a.complete()
	a.room.release()
}
