package embedded

import (
	"sync/atomic"
	"time"
)

// hangs is how long the disk may take over one round before the store says that it does not answer. Whoever waited for
// it has gone by then.
const hangs = 30 * time.Second

// busy tells since when the committer has not come back from a round.
type busy struct {
	start time.Time    // what times are measured from, so that setting the clock changes nothing
	since atomic.Int64 // nanoseconds since start, 0 while there is nothing to do
}

func (b *busy) init()  { b.start = time.Now() }
func (b *busy) begin() { b.since.Store(max(1, int64(time.Since(b.start)))) }
func (b *busy) end()   { b.since.Store(0) }

// hanging returns how long it has been, 0 unless that is too long.
func (b *busy) hanging() time.Duration {
	since := b.since.Load()
	if since == 0 {
		return 0
	}
	if took := time.Since(b.start) - time.Duration(since); took >= hangs {
		return took
	}
	return 0
}
