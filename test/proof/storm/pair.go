package main

import (
	"context"
	"sync"
	"time"
)

// round makes calls of a user who has two clients. They meet for each round and call two replicas at the same moment, so that one of them
// waits for what the other has begun: for a row that is locked, for a claim, for an erasure that is not done. Between rounds one of
// them reads, or the second overtakes the first (overtake.go). What the user may have after a round is what either may have left.
func (p *person) round(ctx context.Context, r *replica) {
	other := p.w.any(p.turn + 1)
	if other == nil {
		other = r
	}
	switch n := p.random.IntN(10); {
	case p.has(none) || n < 1:
		p.settle(p.make(ctx, p.upload(r)))
	case n < 5:
		p.together(ctx, p.remove(r), p.remove(other))
	case n < 7:
		p.together(ctx, p.upload(r), p.remove(other))
	case n < 9:
		p.overtake(ctx, r, other)
	default:
		p.read(ctx, r)
	}
}

// together makes two changes at once. In every other round both find the user's row locked, so that the one that comes second has begun
// before the first one is decided; and what the first one does in the bucket then takes a while.
func (p *person) together(ctx context.Context, a, b change) {
	held := new(heldRow)
	if p.random.IntN(2) == 0 {
		held = p.w.holdRow(ctx, p.ID)
		p.w.requests.slow(p.folder, 300*time.Millisecond+time.Duration(p.random.IntN(300))*time.Millisecond)
	}
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
	pause(ctx, time.Duration(p.random.IntN(150))*time.Millisecond)
	held.release(ctx)
	calling.Wait()
	p.settle(all[:]...)
}
