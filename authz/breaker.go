package authz

import (
	"slices"
	"time"
)

// How soon the provider is left alone, and for how long.
const (
	// restScore is the sum of failures, with no success between them, at which asking ends for a while: a dozen tokens for
	// which it failed quickly, or three for which somebody waited the whole time-out.
	failureThreshold = 12
	failureScore     = 1
	timeoutScore     = 4
	// answerCounts is how long a provider that has answered counts as one that is there, whatever fails meanwhile.
	successGrace = 2 * time.Second
	// failureWindow is how far apart failures are that have nothing to do with each other.
	failureWindow = time.Minute
	// firstRest doubles with every probe that fails, up to maxRest.
	firstOpenTimeout = time.Second
	maxOpenTimeout   = 8 * time.Second
	// probeWait is what callers are told to wait while a probe is under way.
	probeRetryAfter = time.Second
)

// ending is how asking the provider ended.
type result int

const (
	resultIgnored     result = iota // nothing was learnt of the provider: nobody waited for it, or it was never asked
	resultSuccess                   // whatever the answer was: a provider that refuses is there
	resultUnusable                  // an answer arrived, and nobody can use it: if there is a token, that is about it
	resultUnreachable               // no question got through to it, whatever the token
	resultFailure                   // without much waiting
	resultTimeout                   // somebody waited for it in vain
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
	lastSuccess      time.Time                  // the last answer
	countedFailures  int                        // failures that have counted
	score            int                        // sum of failures since the last answer
	lastFailure      time.Time                  // the newest failure that has counted
	failedTokens     [failureThreshold]cacheKey // tokens whose failures have counted, of which the oldest is overwritten
	failedTokenCount int                        // entries that were ever written to failed
	openFor          time.Duration              // how long the provider is left alone; 0 = it is asked
	openUntil        time.Time                  // end of the rest
	// probing and repeating: a question is under way after a rest, about a token that has not failed or about one that has.
	probing, retrying bool
}

// pass is the leave to ask once. It goes back to the breaker with how that ended.
type permit struct {
	countedFailures int
	token           cacheKey // zero = the question is about none
	probe, retry    bool
}

// enter gives leave to ask about a token, or tells how long to wait before trying again.
func (b *breaker) allow(token cacheKey, now time.Time) (p permit, wait time.Duration, ok bool) {
	p = permit{countedFailures: b.countedFailures, token: token}
	if b.openFor == 0 {
		return p, 0, true
	}
	if wait := b.openUntil.Sub(now); wait > 0 {
		return permit{}, wait, false
	}
	underWay, mine := &b.probing, &p.probe
	if b.hasFailed(token) {
		underWay, mine = &b.retrying, &p.retry
	}
	if *underWay {
		return permit{}, probeRetryAfter, false
	}
	*underWay, *mine = true, true
	return p, 0, true
}

// leave takes a pass back. It reports whether a rest begins with it.
func (b *breaker) done(p permit, result result, now time.Time) (opened bool) {
	b.probing = b.probing && !p.probe
	b.retrying = b.retrying && !p.retry
	score := failureScore
	switch result {
	case resultIgnored:
		return false
	case resultSuccess:
		b.recordSuccess(now)
		return false
	case resultUnusable:
		if p.token != (cacheKey{}) {
			return false
		}
	case resultUnreachable:
		p.token = cacheKey{}
	case resultTimeout:
		score = timeoutScore
	}
	if now.Sub(b.lastFailure) >= failureWindow && b.openFor == 0 {
		b.reset()
	}
	if b.hasFailed(p.token) {
		return false
	}
	if b.openFor > 0 {
		if !p.probe && !p.retry {
			return false // it began before the rest, which has taken it into account
		}
		b.recordFailure(p.token, now)
		b.openFor = min(2*b.openFor, maxOpenTimeout)
		b.openUntil = now.Add(b.openFor)
		return true
	}
	if p.countedFailures != b.countedFailures {
		return false // another failure has counted since this began
	}
	b.countedFailures++
	b.recordFailure(p.token, now)
	if b.score += score; b.score < failureThreshold || now.Sub(b.lastSuccess) < successGrace {
		return false
	}
	b.openFor, b.openUntil = firstOpenTimeout, now.Add(firstOpenTimeout)
	return true
}

// answer takes in that the provider has answered.
func (b *breaker) recordSuccess(now time.Time) {
	b.reset()
	b.lastSuccess = now
}

// reset forgets failures.
func (b *breaker) reset() {
	*b = breaker{lastSuccess: b.lastSuccess, countedFailures: b.countedFailures, probing: b.probing, retrying: b.retrying}
}

// hasFailed reports whether a token is among those whose failures have counted.
func (b *breaker) hasFailed(token cacheKey) bool {
	return token != cacheKey{} && slices.Contains(b.failedTokens[:min(b.failedTokenCount, len(b.failedTokens))], token)
}

func (b *breaker) recordFailure(token cacheKey, now time.Time) {
	b.lastFailure = now
	if token != (cacheKey{}) {
		b.failedTokens[b.failedTokenCount%len(b.failedTokens)] = token
		b.failedTokenCount++
	}
}
