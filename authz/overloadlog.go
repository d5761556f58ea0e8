package authz

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// overloadRetryAfter is when a caller may try again whose question was not asked because others were under way.
const overloadRetryAfter = time.Second

// overloadLog logs that there are more questions than the provider is asked: a flood of invented tokens, or more callers than the
// concurrency limit admits. Neither is a failure of the provider.
type overloadLog struct {
	log *slog.Logger
	now func() time.Time

	floodLines, overloadLines sampledLine
	oneAddress                atomic.Int64 // unknown tokens over the limit of their address since the last line
}

// sampledLine is a log line that is written once in logInterval at most, with the number of events since the last time.
type sampledLine struct {
	count atomic.Int64 // since the last line
	next  atomic.Int64 // when it may be written again, in Unix nanoseconds
}

// due counts an event and returns how many events a line now stands for, 0 = no line is due.
func (l *sampledLine) due(now time.Time) int64 {
	l.count.Add(1)
	next := l.next.Load()
	if now.UnixNano() < next || !l.next.CompareAndSwap(next, now.Add(logInterval).UnixNano()) {
		return 0
	}
	return l.count.Swap(0)
}

// rateLimited records that an unknown token was not asked about.
func (o *overloadLog) rateLimited(oneAddress bool) {
	if oneAddress {
		o.oneAddress.Add(1)
	}
	if n := o.floodLines.due(o.now()); n > 0 {
		o.log.Warn("flood of unknown tokens: the identity provider is not asked about all of them", "withheld", n,
			"over_the_limit_of_an_address", o.oneAddress.Swap(0))
	}
}

// rejectOverload returns the error of a question that is not asked because others are under way. Too many questions about unknown tokens
// count as a flood of them.
func (c *providerClient) rejectOverload(question string, unknown bool) error {
	if unknown {
		c.observe(question, QuestionRateLimited, 0)
		c.overload.rateLimited(false)
		return &retryError{cause: ErrRateLimited, after: overloadRetryAfter}
	}
	c.observe(question, QuestionOverloaded, 0)
	if n := c.overload.overloadLines.due(c.overload.now()); n > 0 {
		c.log.Warn("more questions to the identity provider than it is asked at once", "step", question, "withheld", n, "at_once", maxConcurrent)
	}
	return &retryError{cause: errOverloaded, after: overloadRetryAfter}
}
