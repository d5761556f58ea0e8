package authz

import (
	"slices"
	"time"
)

// How soon the provider is left alone, and for how long.
const (
	// restScore is the sum of failures, with no success between them, at which asking ends for a while: a dozen tokens for
	// which it failed quickly, or three for which somebody waited the whole time-out.
	restScore  = 12
	quickScore = 1
	slowScore  = 4
	// answerCounts is how long a provider that has answered counts as one that is there, whatever fails meanwhile.
	answerCounts = 2 * time.Second
	// failureWindow is how far apart failures are that have nothing to do with each other.
	failureWindow = time.Minute
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
	unusable                    // an answer arrived, and nobody can use it: if there is a token, that is about it
	unreachable                 // no question got through to it, whatever the token
	failedQuickly               // without much waiting
	failedSlowly                // somebody waited for it in vain
)

// breaker decides whether a provider that keeps failing is asked. It is a pure state machine: time comes in from
// outside, and code that uses it from several goroutines locks it.
//
//	asking ──(restScore)──► resting ──(rest is over)──► one probe under way ──(answered)──► asking
//	                           ▲                                  │
//	                           └────────(failed: twice the rest)──┘
//
// A failure counts for the token that was asked about, and each token counts once: a provider that fails for one token
// may be well for all others. Only failures to reach the provider at all count for no token.
// A provider that has answered a moment ago is asked, however many tokens fail: they may be invented ones.
// Failures of calls that ran at the same time tell the same thing and count once. So it takes several rounds of asking,
// not several callers, to end it.
//
// After a rest the probe goes to a token that has not failed. One of those that have may be asked about beside it: its
// answer ends the rest, and its failure is no news.
type breaker struct {
	answered time.Time           // the last answer
	round    int                 // failures that have counted
	score    int                 // sum of failures since the last answer
	last     time.Time           // the newest failure that has counted
	failed   [restScore]cacheKey // tokens whose failures have counted, of which the oldest is overwritten
	failures int                 // entries that were ever written to failed
	rest     time.Duration       // how long the provider is left alone; 0 = it is asked
	until    time.Time           // end of the rest
	// probing and repeating: a question is under way after a rest, about a token that has not failed or about one that has.
	probing, repeating bool
}

// pass is the leave to ask once. It goes back to the breaker with how that ended.
type pass struct {
	round         int
	token         cacheKey // zero = the question is about none
	probe, repeat bool
}

// enter gives leave to ask about a token, or tells how long to wait before trying again.
func (b *breaker) enter(token cacheKey, now time.Time) (p pass, wait time.Duration, ok bool) {
	p = pass{round: b.round, token: token}
	if b.rest == 0 {
		return p, 0, true
	}
	if wait := b.until.Sub(now); wait > 0 {
		return pass{}, wait, false
	}
	underWay, mine := &b.probing, &p.probe
	if b.hasFailed(token) {
		underWay, mine = &b.repeating, &p.repeat
	}
	if *underWay {
		return pass{}, probeWait, false
	}
	*underWay, *mine = true, true
	return p, 0, true
}

// leave takes a pass back. It reports whether a rest begins with it.
func (b *breaker) leave(p pass, end ending, now time.Time) (rests bool) {
	b.probing = b.probing && !p.probe
	b.repeating = b.repeating && !p.repeat
	score := quickScore
	switch end {
	case noNews:
		return false
	case answered:
		b.answer(now)
		return false
	case unusable:
		if p.token != (cacheKey{}) {
			return false
		}
	case unreachable:
		p.token = cacheKey{}
	case failedSlowly:
		score = slowScore
	}
	if now.Sub(b.last) >= failureWindow && b.rest == 0 {
		b.reset()
	}
	if b.hasFailed(p.token) {
		return false
	}
	if b.rest > 0 {
		if !p.probe && !p.repeat {
			return false // it began before the rest, which has taken it into account
		}
		b.note(p.token, now)
		b.rest = min(2*b.rest, maxRest)
		b.until = now.Add(b.rest)
		return true
	}
	if p.round != b.round {
		return false // another failure has counted since this began
	}
	b.round++
	b.note(p.token, now)
	if b.score += score; b.score < restScore || now.Sub(b.answered) < answerCounts {
		return false
	}
	b.rest, b.until = firstRest, now.Add(firstRest)
	return true
}

// answer takes in that the provider has answered.
func (b *breaker) answer(now time.Time) {
	b.reset()
	b.answered = now
}

// reset forgets failures.
func (b *breaker) reset() {
	*b = breaker{answered: b.answered, round: b.round, probing: b.probing, repeating: b.repeating}
}

// hasFailed reports whether a token is among those whose failures have counted.
func (b *breaker) hasFailed(token cacheKey) bool {
	return token != cacheKey{} && slices.Contains(b.failed[:min(b.failures, len(b.failed))], token)
}

func (b *breaker) note(token cacheKey, now time.Time) {
	b.last = now
	if token != (cacheKey{}) {
		b.failed[b.failures%len(b.failed)] = token
		b.failures++
	}
}
