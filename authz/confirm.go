package authz

import (
	"context"
	"errors"
	"sync"
	"time"
)

// unconfirmedFor is how long it counts that the discovery document could not be had.
const unconfirmedFor = time.Second

// errUnconfirmed: the provider calls a token inactive that it called active of late, and has no discovery document: it may have lost
// its database.
var errUnconfirmed = errors.New("a token turned inactive, and there is no discovery document")

// confirmation asks for the discovery document when a token that was active of late has ended. A provider whose database is
// down may call every token inactive; if that were believed, all users would be signed out. There is one question at a time,
// which all callers share that come meanwhile.
type confirmation struct {
	ask func(deadline time.Time) error
	now func() time.Time

	mu          sync.Mutex
	pending     *flight[struct{}] // nil while there is none
	failedUntil time.Time         // how long the failure of the last question counts
}

// check returns nil when the provider has a discovery document, and errUnconfirmed when it has none or does not answer before ctx ends.
func (c *confirmation) check(ctx context.Context) error {
	c.mu.Lock()
	now := c.now()
	if now.Before(c.failedUntil) {
		c.mu.Unlock()
		return errUnconfirmed
	}
	pending := c.pending
	if pending == nil {
		deadline, ok := ctx.Deadline()
		if !ok {
			deadline = time.Now().Add(DefaultIntrospectionTimeout)
		}
		pending = newFlight[struct{}](now)
		c.pending = pending
		go c.fetch(pending, deadline)
	}
	c.mu.Unlock()
	if _, err := pending.wait(ctx); err != nil {
		return errUnconfirmed
	}
	return nil
}

func (c *confirmation) fetch(pending *flight[struct{}], deadline time.Time) {
	err := c.ask(deadline)
	c.mu.Lock()
	c.pending = nil
	if err != nil {
		c.failedUntil = c.now().Add(unconfirmedFor)
	}
	c.mu.Unlock()
	pending.finish(struct{}{}, err)
}
