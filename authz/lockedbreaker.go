package authz

import (
	"sync"
	"time"
)

// lockedBreaker is a breaker that many goroutines use.
type lockedBreaker struct {
	now func() time.Time

	mu sync.Mutex
	breaker
}

// allow returns an error that says when to try again while the circuit is open.
func (l *lockedBreaker) allow(token cacheKey) (permit, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, wait, ok := l.breaker.allow(token, l.now())
	if !ok {
		return permit{}, &retryError{cause: errCircuitOpen, after: wait}
	}
	return p, nil
}

// done reports for how long the circuit is open from now on, 0 = its state has not changed.
func (l *lockedBreaker) done(p permit, result result) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.breaker.done(p, result, l.now()) {
		return l.openFor
	}
	return 0
}

// succeed closes the circuit, because the provider has answered the same kind of question about another token.
func (l *lockedBreaker) succeed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recordSuccess(l.now())
}
