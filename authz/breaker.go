package authz

import (
	"sync"
	"time"
)

// How soon the provider is left alone, and for how long.
const (
	// restScore is the sum of failures, with no success between them, at which asking ends for a while: a dozen that
	// came quickly, or three for which somebody waited the whole time-out.
	restScore  = 12
	quickScore = 1
	slowScore  = 4
	// firstRest doubles with every probe that fails, up to maxRest.
	firstRest = time.Second
	maxRest   = 8 * time.Second
	// probeWait is what callers are told to wait while a probe is under way.
	probeWait = time.Second
)

// ending is how asking the provider ended.
type ending int

const (
	noNews        ending = iota // nothing was learnt of the provider: nobody waited for it, or it was never asked
	answered                    // whatever the answer was: a provider that refuses is there
	failedQuickly               // without much waiting
	failedSlowly                // somebody waited for it in vain
)

// breaker decides whether a provider that keeps failing is asked. It is a pure state machine: time comes in from
// outside, and whoever uses it from several goroutines locks it.
//
//	asking ──(restScore)──► resting ──(rest is over)──► one probe under way ──(answered)──► asking
//	                           ▲                                  │
//	                           └────────(failed: twice the rest)──┘
//
// Failures of calls that ran at the same time tell the same thing and count once. So it takes several rounds of asking,
// not several callers, to end it.
type breaker struct {
	round   int           // failures that have counted
	score   int           // sum of failures since the last answer
	rest    time.Duration // how long the provider is left alone; 0 = it is asked
	until   time.Time     // end of the rest
	probing bool
}

// pass is the leave to ask once. It goes back to the breaker with how that ended.
type pass struct {
	round int
	probe bool
}

// enter gives leave to ask, or tells how long to wait before trying again.
func (b *breaker) enter(now time.Time) (p pass, wait time.Duration, ok bool) {
	if b.rest == 0 {
		return pass{round: b.round}, 0, true
	}
	if wait := b.until.Sub(now); wait > 0 {
		return pass{}, wait, false
	}
	if b.probing {
		return pass{}, probeWait, false
	}
	b.probing = true
	return pass{round: b.round, probe: true}, 0, true
}

// leave takes a pass back. It reports whether a rest begins with it.
func (b *breaker) leave(p pass, end ending, now time.Time) (rests bool) {
	if p.probe {
		b.probing = false
	}
	score := quickScore
	switch end {
	case noNews:
		return false
	case answered:
		*b = breaker{round: b.round, probing: b.probing}
		return false
	case failedSlowly:
		score = slowScore
	}
	if b.rest > 0 {
		if !p.probe {
			return false // it began before the rest, which has taken it into account
		}
		b.rest = min(2*b.rest, maxRest)
		b.until = now.Add(b.rest)
		return true
	}
	if p.round != b.round {
		return false // another failure has counted since this began
	}
	b.round++
	if b.score += score; b.score < restScore {
		return false
	}
	b.rest, b.until = firstRest, now.Add(firstRest)
	return true
}

// door is a breaker for many callers.
type door struct {
	now func() time.Time

	mu sync.Mutex
	breaker
}

// enter returns an error that says when to try again while the provider is left alone.
func (d *door) enter() (pass, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, wait, ok := d.breaker.enter(d.now())
	if !ok {
		return pass{}, &retryError{cause: errResting, after: wait}
	}
	return p, nil
}

// leave reports for how long the provider is left alone from now on, 0 = no change.
func (d *door) leave(p pass, end ending) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.breaker.leave(p, end, d.now()) {
		return d.rest
	}
	return 0
}
