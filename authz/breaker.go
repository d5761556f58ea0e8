package authz

import (
	"slices"
	"time"
)

// When the circuit opens, and for how long.
const (
	// failureThreshold is the score of failures, with no success between them, at which the circuit opens: a dozen tokens for
	// which the provider failed quickly, or three for which a caller waited the whole time-out.
	failureThreshold = 12
	failureScore     = 1
	timeoutScore     = 4
	// successGrace is how long after an answer the circuit stays closed, whatever fails meanwhile.
	successGrace = 2 * time.Second
	// failureWindow is how far apart failures are that have nothing to do with each other.
	failureWindow = time.Minute
	// firstOpenTimeout doubles with every probe that fails, up to maxOpenTimeout.
	firstOpenTimeout = time.Second
	maxOpenTimeout   = 8 * time.Second
	// probeRetryAfter is when a caller may try again that came while a probe was under way.
	probeRetryAfter = time.Second
)

// result is how a question ended, as far as it says something about the provider.
type result int

const (
	resultIgnored     result = iota // nothing was learnt of the provider: no caller waited for it, or it was never asked
	resultSuccess                   // it answered, be it with a refusal
	resultUnusable                  // an answer arrived that cannot be used: where there is a token, this counts against the token only
	resultUnreachable               // there was no connection to it, whatever the token
	resultFailure                   // it failed without much waiting
	resultTimeout                   // a caller waited the whole time-out
)

// breaker is a circuit breaker: it decides whether a provider that keeps failing is asked. It is a pure state machine: time is an
// argument, and code that uses it from several goroutines locks it (lockedBreaker).
//
//	closed ──(failureThreshold)──► open ──(time-out is over)──► half-open, one probe ──(success)──► closed
//	                                 ▲                                  │
//	                                 └──────(failure: twice as long)────┘
//
// A failure counts for the token that was asked about, and each token counts once: a provider that fails for one token
// may work for all others. Only failures to reach the provider at all count without a token.
// A provider that has answered a moment ago is asked, however many tokens fail, since they may be invented.
// Failures of calls that ran at the same time have the same cause and count once. So the circuit opens after several questions one
// after the other, and not because of several callers at once.
//
// While the circuit is half-open, the probe is a question about a token that has not failed. Beside it one question about a token
// that has failed is allowed, a retry: its success closes the circuit, and its failure changes nothing.
type breaker struct {
	lastSuccess      time.Time                  // the last answer
	countedFailures  int                        // how many failures have counted
	score            int                        // sum of failures since the last answer
	lastFailure      time.Time                  // the newest failure that has counted
	failedTokens     [failureThreshold]cacheKey // tokens whose failures have counted, of which the oldest is overwritten
	failedTokenCount int                        // entries that were ever written to failedTokens
	openFor          time.Duration              // how long the circuit is open, 0 = it is closed
	openUntil        time.Time                  // when it becomes half-open
	// While half-open: a question is under way about a token that has not failed (probing), or about one that has (retrying).
	probing, retrying bool
}

// permit allows one question. It goes back to the breaker with the result.
type permit struct {
	countedFailures int
	token           cacheKey // zero = the question is about no token
	probe, retry    bool
}

// allow returns a permit for a question about a token, or how long to wait before trying again.
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

// done takes a permit back with the result of its question. It reports whether the circuit opens with it, for the first time or again.
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
			return false // it began before the circuit opened
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

// recordSuccess closes the circuit.
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
