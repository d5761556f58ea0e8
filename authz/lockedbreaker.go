package authz

import (
	"sync"
	"time"
)

// sharedBreaker is a breaker for many callers.
type lockedBreaker struct {
	now func() time.Time

	mu sync.Mutex
	breaker
}

// enter returns an error that says when to try again while the provider is left alone.
func (s *lockedBreaker) allow(token cacheKey) (permit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, wait, ok := s.breaker.allow(token, s.now())
	if !ok {
		return permit{}, &retryError{cause: errCircuitOpen, after: wait}
	}
	return p, nil
}

// leave reports for how long the provider is left alone from now on, 0 = no change.
func (s *lockedBreaker) done(p permit, result result) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.breaker.done(p, result, s.now()) {
		return s.openFor
	}
	return 0
}

// othersAnswered takes in that the provider has answered a question like those of this breaker.
func (s *lockedBreaker) succeed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recordSuccess(s.now())
}
