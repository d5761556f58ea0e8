package authz

import (
	"sync"
	"time"
)

// sharedBreaker is a breaker for many callers.
type sharedBreaker struct {
	now func() time.Time

	mu sync.Mutex
	breaker
}

// enter returns an error that says when to try again while the provider is left alone.
func (s *sharedBreaker) enter(token cacheKey) (pass, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, wait, ok := s.breaker.enter(token, s.now())
	if !ok {
		return pass{}, &retryError{cause: errResting, after: wait}
	}
	return p, nil
}

// leave reports for how long the provider is left alone from now on, 0 = no change.
func (s *sharedBreaker) leave(p pass, end ending) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.breaker.leave(p, end, s.now()) {
		return s.rest
	}
	return 0
}

// othersAnswered takes in that the provider has answered a question like those of this breaker.
func (s *sharedBreaker) othersAnswered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer(s.now())
}
