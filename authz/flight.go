package authz

import (
	"context"
	"time"
)

// flight is one question to the provider that several callers wait for. It belongs to none of them: the code that starts it
// gives it a goroutine and a context of its own, and ends it with finish.
type flight[T any] struct {
	started time.Time
	done    chan struct{} // closed when value and err are set
	value   T
	err     error
}

func newFlight[T any](started time.Time) *flight[T] {
	return &flight[T]{started: started, done: make(chan struct{})}
}

func (c *flight[T]) finish(value T, err error) {
	c.value, c.err = value, err
	close(c.done)
}

// wait returns the result, or the context's error when that ends first. The flight goes on.
func (c *flight[T]) wait(ctx context.Context) (T, error) {
	select {
	case <-c.done:
		return c.value, c.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
