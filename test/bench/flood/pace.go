package main

import (
	"context"
	"slices"
	"sync"
	"time"
)

// phase is what came of calls at a fixed rate.
type phase struct {
	due      int // calls that should have been made
	late     int // of them not made, because all callers were waiting for answers
	statuses map[int]int
	took     time.Duration
	p50, p99 time.Duration // from when a call was due to its answer
}

// rate returns how many calls a second were answered with a status.
func (p phase) rate(status int) float64 { return float64(p.statuses[status]) / p.took.Seconds() }

// maxCallers bounds the calls that wait for an answer. A call that finds all of them waiting is not made.
const maxCallers = 256

// pace makes calls at a rate for some time. call gets their number and returns the status of the answer, 0 for none.
func pace(ctx context.Context, perSecond int, length time.Duration, call func(context.Context, int) int) phase {
	p := phase{statuses: map[int]int{}}
	type job struct {
		number int
		due    time.Time
	}
	jobs := make(chan job, maxCallers) // of which each waits for a caller about to take it
	var mu sync.Mutex
	var times []time.Duration
	var callers sync.WaitGroup
	for range maxCallers {
		callers.Go(func() {
			for j := range jobs {
				status := call(ctx, j.number)
				took := time.Since(j.due)
				mu.Lock()
				p.statuses[status]++
				times = append(times, took)
				mu.Unlock()
			}
		})
	}
	began := time.Now()
	for time.Since(began) < length && wait(ctx, time.Millisecond) {
		for now := time.Since(began); p.due < int(min(now, length).Seconds()*float64(perSecond)); p.due++ {
			due := began.Add(time.Duration(p.due) * time.Second / time.Duration(perSecond))
			select {
			case jobs <- job{p.due, due}:
			default:
				p.late++
			}
		}
	}
	p.took = time.Since(began)
	close(jobs)
	callers.Wait()
	if slices.Sort(times); len(times) > 0 {
		p.p50, p.p99 = times[len(times)/2], times[len(times)*99/100]
	}
	return p
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
