package server

import (
	"context"
	"sync"
	"time"
)

// callContext is the context of a call, which ends with the request's own context, at the call's deadline, or when the call has its answer.
// The timer for that begins when something waits for Done. A read of a picture that is in memory waits for nothing, and only looks at Err.
type callContext struct {
	context.Context // of the request
	call            *call
	deadline        time.Time

	mu     sync.Mutex
	timed  context.Context // nil = nothing has waited yet, and neither deadline nor end was seen
	cancel context.CancelFunc
}

// callOver stands for callContext.timed after a call for whose end nothing has waited.
var callOver = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// Deadline returns when the call has to be over.
func (c *callContext) Deadline() (time.Time, bool) { return c.deadline, true }

// Done returns a channel that is closed when the context has ended.
func (c *callContext) Done() <-chan struct{} { return c.start().Done() }

// Err returns why the context has ended, nil while it has not.
func (c *callContext) Err() error {
	if timed := c.started(); timed != nil {
		return timed.Err()
	}
	if c.Context.Err() == nil && time.Now().Before(c.deadline) {
		return nil
	}
	return c.start().Err() // one that ends at once, so that the answer stays the same
}

// Value returns the call for callKey. Contexts that are made from this one ask it for the one with the timer, which ends them.
func (c *callContext) Value(key any) any {
	if key == (callKey{}) {
		return c.call
	}
	if timed := c.started(); timed != nil && timed != callOver {
		return timed.Value(key)
	}
	return c.Context.Value(key)
}

func (c *callContext) started() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.timed
}

// start returns the context with the timer.
func (c *callContext) start() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed == nil {
		parent := c.Context
		if !time.Now().Before(c.deadline) { // a read of the body that fails for its deadline makes net/http end the request a little later
			parent = context.WithoutCancel(parent)
		}
		c.timed, c.cancel = context.WithDeadline(parent, c.deadline)
	}
	return c.timed
}

// end ends the context: the call has its answer.
func (c *callContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.timed == nil:
		c.timed = callOver
	case c.cancel != nil:
		c.cancel()
	}
}
