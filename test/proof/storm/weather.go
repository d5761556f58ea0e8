package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// fault is what a proxy does to what passes.
type fault int

const (
	pass fault = iota
	// hold lets nothing through until the weather is over, and everything then.
	hold
	// cut ends the connection and delivers nothing.
	cut
	// lose delivers, and ends the connection in place of the answer.
	lose
	// late ends the connection, and delivers what was sent on it afterwards.
	late
	faults
)

func (f fault) String() string { return [...]string{"pass", "hold", "cut", "lose", "late"}[f] }

// weather decides what happens to what passes a proxy.
type weather struct {
	mu    sync.Mutex
	fault fault
	until time.Time
	share float64 // of what passes
	count [faults]int
}

// set makes the weather bad for a while.
func (w *weather) set(f fault, d time.Duration, share float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault, w.until, w.share = f, time.Now().Add(d), share
}

// strike returns the fault for one piece, and how long it is held or late.
func (w *weather) strike() (f fault, wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	left := time.Until(w.until)
	if left <= 0 || rand.Float64() >= w.share {
		return pass, 0
	}
	w.count[w.fault]++
	if w.fault == late {
		return late, time.Duration(rand.Int64N(int64(4 * time.Second)))
	}
	return w.fault, left
}

// struck returns how often each fault has been.
func (w *weather) struck() [faults]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

// pause waits, or less when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
