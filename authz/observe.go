package authz

import "time"

// Observer counts the questions to the provider, for metrics.
type Observer interface {
	// ObserveQuestion is called when a question has ended, and when one was not asked at all. It must not block:
	// callers wait for it, and locks are held. Several may run at once.
	ObserveQuestion(QuestionReport)
}

// QuestionReport describes one question to an Observer. Its texts are from the sets below.
type QuestionReport struct {
	// Question is "discovery", "introspection", "permissions", "organisation" or "user".
	Question string
	Outcome  QuestionOutcome
	// Took is the time from the question to its end, the wait for a place included; 0 when it was not asked.
	Took time.Duration
}

// QuestionOutcome is how a question to the provider ended.
type QuestionOutcome string

// Outcomes of a question. With the last four, the provider was not asked.
const (
	// QuestionAnswered: the provider answered, whatever the answer was.
	QuestionAnswered QuestionOutcome = "answered"
	// QuestionFailed: the provider did not answer, not in time, or with something that cannot be used.
	QuestionFailed QuestionOutcome = "failed"
	// QuestionAbandoned: the caller left first.
	QuestionAbandoned QuestionOutcome = "abandoned"
	// QuestionOverloaded: too many others were under way for this one, about a known token, to be asked in time.
	QuestionOverloaded QuestionOutcome = "crowded"
	// QuestionCircuitOpen: the provider had failed again and again and was not asked for a moment.
	QuestionCircuitOpen QuestionOutcome = "resting"
	// QuestionFailedBefore: the provider had failed twice in a row for this token, and a moment ago.
	QuestionFailedBefore QuestionOutcome = "failed_before"
	// QuestionRateLimited: too many unknown tokens had come, from one address or in all, see ErrRateLimited.
	QuestionRateLimited QuestionOutcome = "flood"
)

// observe passes a report on to the observer, if there is one.
func (c *providerClient) observe(question string, outcome QuestionOutcome, took time.Duration) {
	if c.observer != nil {
		c.observer.ObserveQuestion(QuestionReport{Question: question, Outcome: outcome, Took: took})
	}
}

// outcomeOf tells how a question ended that was to be asked. abandoned says that the caller had left by then.
func outcomeOf(err error, panicked any, abandoned bool) QuestionOutcome {
	switch {
	case panicked != nil:
		return QuestionFailed
	case err == nil:
		return QuestionAnswered
	case abandoned:
		return QuestionAbandoned
	}
	return QuestionFailed
}

// Stats are the statistics of an Introspector.
type Stats struct {
	// InFlight counts the questions to the provider that are under way: introspections, and permissions asked for by a
	// ProviderPermissions that was made from it.
	InFlight int
	// Tokens is about the cache of what tokens stand for.
	Tokens CacheStats
}

// CacheStats are the statistics of a cache of the provider's answers. All are 0 when nothing is kept.
type CacheStats struct {
	// Hits counts the calls that found an answer in the cache, Misses those that did not: they asked, or joined another's question.
	Hits, Misses uint64
	// Accepted and Refused count the entries of either kind, those that have ended but were not yet dropped included.
	Accepted, Refused int
}

// Stats returns the statistics of now.
func (in *Introspector) Stats() Stats {
	return Stats{InFlight: len(in.concurrency.all), Tokens: in.cache.stats()}
}

// CacheStats returns the statistics of the cache of permissions.
func (p *ProviderPermissions) CacheStats() CacheStats { return p.cache.stats() }

func (c *cache[V]) stats() CacheStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return CacheStats{Hits: c.hits, Misses: c.misses, Accepted: c.accepted.order.Len(), Refused: c.refused.order.Len()}
}
