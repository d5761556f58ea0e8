package server

import (
	"context"
	"sync"
)

// places is the room in memory for pictures, on their way in or out. One caller, or one address, gets a part of it and
// waits for more: slow ones would otherwise keep everybody else waiting.
type places struct {
	room chan struct{} // one element for each place that is taken
	each int           // places of one caller

	mu      sync.Mutex
	callers map[string]*share // nobody who has no upload
}

// share is one caller's part.
type share struct {
	room    chan struct{} // one element for each place that is taken, or waited for in turn with other callers
	uploads int           // those that wait for their own caller's included
}

// newPlaces returns n places, of which each caller gets a quarter, but at least one.
func newPlaces(n int) *places {
	return &places{room: make(chan struct{}, n), each: max(1, n/4), callers: make(map[string]*share)}
}

// take waits for a place and returns how to give it back. A caller who has all of theirs waits for one of them.
func (p *places) take(ctx context.Context, caller string) (free func(), err error) {
	own := p.enter(caller)
	if err := acquire(ctx, own.room); err != nil {
		p.leave(caller)
		return nil, err
	}
	if err := acquire(ctx, p.room); err != nil {
		<-own.room
		p.leave(caller)
		return nil, err
	}
	return func() {
		<-p.room
		<-own.room
		p.leave(caller)
	}, nil
}

func acquire(ctx context.Context, room chan struct{}) error {
	select {
	case room <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *places) enter(caller string) *share {
	p.mu.Lock()
	defer p.mu.Unlock()
	own := p.callers[caller]
	if own == nil {
		own = &share{room: make(chan struct{}, p.each)}
		p.callers[caller] = own
	}
	own.uploads++
	return own
}

func (p *places) leave(caller string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	own := p.callers[caller]
	if own.uploads--; own.uploads == 0 {
		delete(p.callers, caller)
	}
}
