package server

import (
	"crypto/rand"
	"sync"
)

const (
	requestIDLength  = 26 // characters of five random bits each
	requestIDLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
)

// requestIDs makes ids of requests from random bytes that were asked for in one go: asking for those of each id costs more than the rest.
type requestIDs struct {
	mu    sync.Mutex
	bytes [64 * requestIDLength]byte
	left  int
}

// next returns an id that nobody can guess.
func (s *requestIDs) next() string {
	var id [requestIDLength]byte
	s.mu.Lock()
	if s.left == 0 {
		_, _ = rand.Read(s.bytes[:]) // it does not fail
		s.left = len(s.bytes)
	}
	s.left -= len(id)
	copy(id[:], s.bytes[s.left:])
	s.mu.Unlock()
	for i, b := range id {
		id[i] = requestIDLetters[b%32]
	}
	return string(id[:])
}
