package embedded

import (
	"sync/atomic"
	"time"
)

// hangTimeout is how long the disk may take over one group commit before the store reports that it does not answer. Callers have given up
// waiting by then.
const hangTimeout = 30 * time.Second

// watchdog measures how long the committer has been busy with a group commit.
type watchdog struct {
	start time.Time    // what times are measured from, so that setting the clock changes nothing
	since atomic.Int64 // nanoseconds since start, 0 while there is nothing to do
}

func (b *watchdog) init()  { b.start = time.Now() }
func (b *watchdog) begin() { b.since.Store(max(1, int64(time.Since(b.start)))) }
func (b *watchdog) end()   { b.since.Store(0) }

// hanging returns how long that has been, 0 unless it is longer than hangTimeout.
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
