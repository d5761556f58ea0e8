package main

import (
	"context"
	"sync"
)

// round makes calls of a user who has two clients. They meet for each round and call two replicas at the same moment, so that one of them
// waits for what the other has begun: for a row that is locked, for a claim, for an erasure that is not done. Between rounds one of
// them reads. What the user may have after a round is what either may have left.
func (p *person) round(ctx context.Context, r *replica) {
	other := p.w.any(p.turn + 1)
	if other == nil {
		other = r
	}
	switch n := p.random.IntN(10); {
	case p.has(none) || n < 1:
		p.settle(p.make(ctx, p.upload(r)))
	case n < 6:
		p.together(ctx, p.remove(r), p.remove(other))
	case n < 8:
		p.together(ctx, p.upload(r), p.remove(other))
	default:
		p.read(ctx, r)
	}
}

// together makes two changes at once.
func (p *person) together(ctx context.Context, a, b change) {
	all := [2]outcome{}
	var calling sync.WaitGroup
	ready := make(chan struct{})
	for i, c := range []change{a, b} {
		calling.Go(func() {
			<-ready
			all[i] = p.make(ctx, c)
		})
	}
	close(ready)
	calling.Wait()
	p.settle(all[:]...)
}
