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

// longAgo is a deadline at which reads and writes fail at once.
var longAgo = time.Unix(1, 0)

// arrivingUpload is the body of an upload that is being read into memory.
type arrivingUpload struct {
	io.ReadCloser
	room    lease
	control *http.ResponseController
	client  departure

	mu    sync.Mutex
	ended bool
}

// acceptUpload acquires memory for the body of an upload and puts an arrivingUpload into r in its place. The caller must end it.
func (s *Server) acceptUpload(w http.ResponseWriter, r *http.Request) (*arrivingUpload, error) {
	size := r.ContentLength
	if size < 0 {
		size = int64(s.config.Pictures.MaxUploadBytes() + maxFormBytes)
	}
	a := &arrivingUpload{ReadCloser: r.Body, control: http.NewResponseController(w), client: newDeparture(w, r)}
	of := semaphoreKey{caller: callOf(r.Context()).caller.Subject}
	if err := s.arriving.acquire(r.Context(), &a.room, of, max(int(size), leastArriving), a); err != nil {
		return nil, err
	}
	r.Body = a
	return a, nil
}

func (a *arrivingUpload) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	a.room.progress(n)
	return n, err
}

// evict breaks the reading off: the body arrives too slowly, and other calls need its memory.
func (a *arrivingUpload) evict() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.ended {
		_ = a.control.SetReadDeadline(longAgo)
	}
}

// gone reports whether the client has left while the call waits for memory.
func (a *arrivingUpload) gone() bool { return a.client.gone() }

// complete tells that nothing more is read. It reports false when the reading was broken off.
func (a *arrivingUpload) complete() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = true
	return a.room.pin()
}

// end gives the memory back.
func (a *arrivingUpload) end() {
	a.complete()
	a.room.release()
}
