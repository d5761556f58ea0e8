package authz

import (
	"context"
	"sync"
)

// maxConcurrentPerToken bounds the questions of one kind about one token that are under way at one time. Without this bound a token that
// is used in many organisations at once, and for which the provider hangs, would take all of maxConcurrent.
const maxConcurrentPerToken = maxConcurrent / 4

// perTokenLimit is a semaphore for each token about which a question of one kind is under way or waits.
type perTokenLimit struct {
	mu         sync.Mutex
	semaphores map[cacheKey]*tokenSemaphore
}

// tokenSemaphore is the semaphore of one token. It leaves the map with its last user.
type tokenSemaphore struct {
	slots chan struct{}
	users int // questions that have acquired it or wait for it
}

// acquire waits until another question about a token may be asked. A caller that gets nil must call release.
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
