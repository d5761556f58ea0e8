package server

import (
	"context"
	"sync"
)

// places is the room in memory for uploads. One caller gets a part of it: uploads that come in slowly would otherwise
// keep everybody else waiting.
type places struct {
	room chan struct{} // one element for each place that is taken
	each int           // places of one caller

	mu    sync.Mutex
	taken map[string]int // by caller, waiting uploads included; nobody who has none
}

// newPlaces returns n places, of which each caller gets a quarter, but at least one.
func newPlaces(n int) *places {
	return &places{room: make(chan struct{}, n), each: max(1, n/4), taken: make(map[string]int)}
}

// take waits for a place and returns how to give it back. A caller who has all of theirs does not wait: what they wait
// for may be nothing but themselves.
func (p *places) take(ctx context.Context, caller string) (free func(), err error) {
	if !p.count(caller) {
		return nil, &failure{situation: overLimit, message: "too many uploads of yours at once, let one of them end first"}
	}
	select {
	case p.room <- struct{}{}:
		return func() { <-p.room; p.uncount(caller) }, nil
	case <-ctx.Done():
		p.uncount(caller)
		return nil, ctx.Err()
	}
}

func (p *places) count(caller string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken[caller] >= p.each {
		return false
	}
	p.taken[caller]++
	return true
}

func (p *places) uncount(caller string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken[caller]--; p.taken[caller] == 0 {
		delete(p.taken, caller)
	}
}
