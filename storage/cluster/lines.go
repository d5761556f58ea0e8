package cluster

import (
	"context"
	"sync"

	"example.org/avatard/storage"
)

// lines let one change of a user after the other through, in the order in which they came. So a user with many changes takes one
// connection of the pool and not all of them.
type lines struct {
	mu   sync.Mutex
	last map[storage.UserKey]chan struct{} // closed when the change that came last is done
}

// wait returns when all earlier changes of the user are done, or with the context's error. Unless it failed, done must be called.
func (l *lines) wait(ctx context.Context, user storage.UserKey) (done func(), err error) {
	mine := make(chan struct{})
	l.mu.Lock()
	if l.last == nil {
		l.last = make(map[storage.UserKey]chan struct{})
	}
	before := l.last[user]
	l.last[user] = mine
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		if l.last[user] == mine {
			delete(l.last, user)
		}
		l.mu.Unlock()
		close(mine)
	}
	if before == nil {
		return leave, nil
	}
	select {
	case <-before:
		return leave, nil
	case <-ctx.Done():
		go func() { // those behind wait for the one in front
			<-before
			leave()
		}()
		return nil, ctx.Err()
	}
}
