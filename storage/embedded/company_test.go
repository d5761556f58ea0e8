package embedded

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"avatard/storage"
)

// How long a round waits: for half as many changes as the last one had, and no longer than that took.
func TestCompany(t *testing.T) {
	const took = 3 * time.Millisecond
	for _, tt := range []struct {
		name          string
		last, atHand  int
		took, since   time.Duration   // of the round before, and since its end
		at            []time.Duration // when changes arrive
		closed        bool
		waits         time.Duration
		wantedArrived int
	}{
		{name: "the first round", at: []time.Duration{0}, wantedArrived: 1},
		{name: "a lone caller", last: 1, at: []time.Duration{0}, wantedArrived: 1},
		{name: "three callers", last: 3, at: []time.Duration{0, 1, 1}, wantedArrived: 1},
		{name: "nothing has arrived", last: 16},
		{name: "half are there", last: 9, at: []time.Duration{0, 0, 0, 0}, wantedArrived: 4},
		{name: "half are there soon", last: 9, at: []time.Duration{0, 0, time.Millisecond, 2 * time.Millisecond, 2 * time.Millisecond},
			waits: 2 * time.Millisecond, wantedArrived: 5},
		{name: "nobody comes", last: 9, at: []time.Duration{0}, waits: took, wantedArrived: 1},
		{name: "too few come", last: 9, at: []time.Duration{0, 0, time.Millisecond}, waits: took, wantedArrived: 3},
		{name: "a slow disk", last: 9, took: time.Second, at: []time.Duration{0}, waits: maxCompanyWait, wantedArrived: 1},
		{name: "second rounds count", last: 9, atHand: 3, at: []time.Duration{0}, wantedArrived: 1},
		{name: "second rounds wait, too", last: 9, atHand: 1, at: []time.Duration{0, time.Millisecond, time.Millisecond},
			waits: time.Millisecond, wantedArrived: 3},
		{name: "a round not long ago", last: 9, since: maxCompanyWait, at: []time.Duration{0}, waits: took, wantedArrived: 1},
		{name: "a round long ago", last: 9, since: maxCompanyWait + 1, at: []time.Duration{0}, wantedArrived: 1},
		{name: "the store is closed", last: 9, at: []time.Duration{0}, closed: true, wantedArrived: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var l line
				l.init()
				c := newCompany()
				c.note(tt.last, time.Now().Add(-max(tt.took, took)))
				time.Sleep(tt.since)
				began := time.Now()
				arrive := func(i int) {
					if err := l.enter(&ticket{key: &storage.UserKey{ID: fmt.Sprint(i)}}); err != nil {
						t.Error(err)
					}
				}
				for i, at := range tt.at {
					if at == 0 {
						arrive(i)
					} else {
						time.AfterFunc(at, func() { arrive(i) })
					}
				}
				if tt.closed {
					l.close()
				}
				c.await(&l, tt.atHand)
				synctest.Wait()
				if waited := time.Since(began); waited != tt.waits {
					t.Errorf("waited %v, want %v", waited, tt.waits)
				}
				if n := l.arrivals(); n != tt.wantedArrived {
					t.Errorf("%d had arrived, want %d", n, tt.wantedArrived)
				}
				if tt.closed {
					return
				}
				// Whoever comes later wakes the committer again, however few they are.
				time.Sleep(time.Second) // all have arrived by then
				l.take(nil, maxRound)
				woken(&l)
				if arrive(-1); !woken(&l) {
					t.Error("a change that comes later does not wake the committer")
				}
			})
		})
	}
}

// woken takes the token that wakes the committer, if it is there.
func woken(l *line) bool {
	select {
	case <-l.wake:
		return true
	default:
		return false
	}
}
