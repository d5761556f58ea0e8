package embedded

import (
	"sync/atomic"
	"time"
)

// hangTimeout is how long the disk may take over one group commit before the store says that it does not answer. Whoever waited for
// it has gone by then.
const hangTimeout = 30 * time.Second

// watchdog tells since when the committer has not come back from a group commit.
type watchdog struct {
	start time.Time    // what times are measured from, so that setting the clock changes nothing
	since atomic.Int64 // nanoseconds since start, 0 while there is nothing to do
}

func (b *watchdog) init()  { b.start = time.Now() }
func (b *watchdog) begin() { b.since.Store(max(1, int64(time.Since(b.start)))) }
func (b *watchdog) end()   { b.since.Store(0) }

// hanging returns how long it has been, 0 unless that is too long.
func (b *watchdog) hanging() time.Duration {
	since := b.since.Load()
	if since == 0 {
		return 0
	}
	if took := time.Since(b.start) - time.Duration(since); took >= hangTimeout {
		return took
	}
	return 0
}
