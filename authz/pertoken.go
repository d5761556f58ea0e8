package authz

import (
	"context"
	"sync"
)

// tokenPlaces of the maxConcurrent places are for questions about one token, of each kind. A token that is used in many organisations at
// once, and for which the provider hangs, would take all of them.
const maxConcurrentPerToken = maxConcurrent / 4

// byToken bounds the questions of one kind that are under way about one token.
type perTokenLimit struct {
	mu         sync.Mutex
	semaphores map[cacheKey]*tokenSemaphore // no token without a question
}

// ofToken are the places of one token.
type tokenSemaphore struct {
	slots chan struct{}
	users int // that have a place, or wait for one
}

// take waits for a place among those of a token. A caller that gets one gives it back with free.
func (l *perTokenLimit) acquire(ctx context.Context, token cacheKey) error {
	l.mu.Lock()
	semaphore := l.semaphores[token]
	if semaphore == nil {
		semaphore = &tokenSemaphore{slots: make(chan struct{}, maxConcurrentPerToken)}
		l.semaphores[token] = semaphore
	}
	semaphore.users++
	l.mu.Unlock()
	select {
	case semaphore.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		l.drop(token, semaphore)
		return errNoCapacity
	}
}

func (l *perTokenLimit) release(token cacheKey) {
	l.mu.Lock()
	semaphore := l.semaphores[token]
	l.mu.Unlock()
	<-semaphore.slots
	l.drop(token, semaphore)
}

func (l *perTokenLimit) drop(token cacheKey, semaphore *tokenSemaphore) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if semaphore.users--; semaphore.users == 0 {
		delete(l.semaphores, token)
	}
}
