package authz

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// crowdRetry is what callers are told to wait for whom there was no place.
const overloadRetryAfter = time.Second

// crowd tells the log that there are more questions than are asked. That is no failure of the provider: a flood of invented
// tokens, or more callers than there are places.
type overloadLog struct {
	log *slog.Logger
	now func() time.Time

	floodLines, overloadLines sampledLine
	oneAddress                atomic.Int64 // of the flood, those over the limit of their address, since the last line
}

// lines lets one line pass every outageLogInterval and counts what it stands for.
type sampledLine struct {
	count atomic.Int64 // since the last line
	next  atomic.Int64 // Unix nanoseconds; no line before
}

// due counts one and returns how many a line is to tell now, 0 for none.
func (l *sampledLine) due(now time.Time) int64 {
	l.count.Add(1)
	next := l.next.Load()
	if now.UnixNano() < next || !l.next.CompareAndSwap(next, now.Add(logInterval).UnixNano()) {
		return 0
	}
	return l.count.Swap(0)
}

// flood notes that an unknown token was not asked about.
func (o *overloadLog) rateLimited(oneAddress bool) {
	if oneAddress {
		o.oneAddress.Add(1)
	}
	if n := o.floodLines.due(o.now()); n > 0 {
		o.log.Warn("flood of unknown tokens: the identity provider is not asked about all of them", "withheld", n,
			"over_the_limit_of_an_address", o.oneAddress.Swap(0))
	}
}

// turnAway says that a question is not asked, because others are under way: about an unknown token that is a flood.
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
