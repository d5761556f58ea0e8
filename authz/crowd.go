package authz

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// crowdRetry is what callers are told to wait for whom there was no place.
const crowdRetry = time.Second

// crowd tells the log that there are more questions than are asked. That is no failure of the provider: a flood of invented
// tokens, or more callers than there are places.
type crowd struct {
	log *slog.Logger
	now func() time.Time

	floods, crowds lines
	oneAddress     atomic.Int64 // of the flood, those over the limit of their address, since the last line
}

// lines lets one line pass every outageLogInterval and counts what it stands for.
type lines struct {
	count atomic.Int64 // since the last line
	next  atomic.Int64 // Unix nanoseconds; no line before
}

// due counts one and returns how many a line is to tell now, 0 for none.
func (l *lines) due(now time.Time) int64 {
	l.count.Add(1)
	next := l.next.Load()
	if now.UnixNano() < next || !l.next.CompareAndSwap(next, now.Add(outageLogInterval).UnixNano()) {
		return 0
	}
	return l.count.Swap(0)
}

// flood notes that an unknown token was not asked about.
func (c *crowd) flood(oneAddress bool) {
	if oneAddress {
		c.oneAddress.Add(1)
	}
	if n := c.floods.due(c.now()); n > 0 {
		c.log.Warn("flood of unknown tokens: the identity provider is not asked about all of them", "withheld", n,
			"over_the_limit_of_an_address", c.oneAddress.Swap(0))
	}
}

// turnAway says that a question is not asked, because others are under way: about an unknown token that is a flood.
func (a *asker) turnAway(question string, unknown bool) error {
	if unknown {
		a.tell(question, QuestionFlood, 0)
		a.crowd.flood(false)
		return &retryError{cause: ErrFlood, after: crowdRetry}
	}
	a.tell(question, QuestionCrowded, 0)
	if n := a.crowd.crowds.due(a.crowd.now()); n > 0 {
		a.log.Warn("more questions to the identity provider than it is asked at once", "step", question, "withheld", n, "at_once", maxConcurrent)
	}
	return &retryError{cause: errCrowded, after: crowdRetry}
}
