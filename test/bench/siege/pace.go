package main

import (
	"context"
	"time"
)

// pacer lets a number of things a second begin, however many goroutines ask.
type pacer struct{ turns chan struct{} }

// newPacer gives out turns until ctx ends. Turns that nobody takes are lost, except for those of a tenth of a second.
func newPacer(ctx context.Context, perSecond int) *pacer {
	p := &pacer{turns: make(chan struct{}, max(1, perSecond/10))}
	go func() {
		began, given := time.Now(), 0
		for wait(ctx, 2*time.Millisecond) {
			for now := time.Since(began); given < int(now.Seconds()*float64(perSecond)); given++ {
				select {
				case p.turns <- struct{}{}:
				default:
				}
			}
		}
		close(p.turns)
	}()
	return p
}

// next waits for a turn. It reports false when there are no more.
func (p *pacer) next() bool {
	_, ok := <-p.turns
	return ok
}

// wait reports whether d has passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
