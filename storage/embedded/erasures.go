package embedded

import (
	"slices"
	"sync"
	"time"
)

// erasure is one generation whose bytes have to go.
type erasure struct {
	receipt int64
	slot    int64
	pages   int64 // of the slot, by its region
	since   int64 // when its intent was recorded, microseconds since 1970
	// abandoned is set for an upload that was given up before it was acknowledged.
	abandoned bool
	// holed is set when the slot was zeroed by giving its blocks back.
	holed bool
}

// pendingErasures keeps the receipts whose erasure is not yet on record. Only the committer uses it, but for
// proven.
//
// A receipt is open from the commit of the intent until its slot was zeroed and synced; then it is finished, and the
// next transaction puts that on record: by raising the watermark where nothing below is open, one by one else. Until
// that commit the slot cannot be given away.
type pendingErasures struct {
	mu        sync.Mutex         // guards open and locked against lists, which read them; only the committer changes them
	watermark int64              // as committed
	issued    int64              // newest committed receipt
	open      map[int64]erasure  // intent durable, bytes perhaps not gone
	finished  []erasure          // bytes gone, not on record
	failed    map[int64]attempts // those of open that were tried, or found at start-up
	// locked are the slots that are in quarantine, by receipt: out of use, see quarantine.go.
	locked map[int64]int64
}

// plan returns the watermark that can be recorded now and the finished receipts above it.
func (l *pendingErasures) plan() (watermark int64, singly []int64) {
	watermark = l.issued
	for seq := range l.open {
		watermark = min(watermark, seq-1)
	}
	for _, e := range l.finished {
		if e.receipt > watermark {
			singly = append(singly, e.receipt)
		}
	}
	return watermark, singly
}

// recorded notes that plan's result is committed and returns the erasures whose slots are free now.
func (l *pendingErasures) recorded(watermark int64) []erasure {
	freed := l.finished
	l.watermark, l.finished = watermark, nil
	return freedOnRecord(freed)
}

// intend notes receipts whose intent was committed.
func (l *pendingErasures) intend(es []erasure) {
	if len(es) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range es {
		l.open[e.receipt] = e
		l.issued = max(l.issued, e.receipt)
	}
}

// finish notes that the bytes of an open erasure are gone, synced.
func (l *pendingErasures) finish(e erasure) {
	if _, ok := l.open[e.receipt]; ok {
		l.mu.Lock()
		delete(l.open, e.receipt)
		l.mu.Unlock()
		delete(l.failed, e.receipt)
		l.finished = append(l.finished, e)
	}
}

// fail notes that a change failed to finish these erasures; some of them may be finished all the same.
func (l *pendingErasures) fail(es []erasure) {
	for _, e := range es {
		if _, known := l.failed[e.receipt]; !known && l.pending(e.receipt) {
			l.failed[e.receipt] = attempts{}.after(time.Now())
		}
	}
}

// failing reports whether the erasure of a receipt was tried and not finished.
func (l *pendingErasures) failing(receipt int64) bool {
	_, failing := l.failed[receipt]
	return failing
}

// lock takes an erasure off the list of those to be done, and its slot out of use.
func (l *pendingErasures) lock(receipt, slot int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, receipt)
	delete(l.failed, receipt)
	l.locked[receipt] = slot
}

// unlock notes that a slot is no longer in quarantine.
func (l *pendingErasures) unlock(e erasure) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.locked, e.receipt)
	l.finished = append(l.finished, e) // free with the next group commit
}

// proven reports whether the erasure is finished that a receipt on record is of. Any goroutine may call it that has the connection.
func (l *pendingErasures) proven(receipt int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, open := l.open[receipt]
	_, locked := l.locked[receipt]
	return !open && !locked
}

// pending reports whether the erasure of a receipt is still open.
func (l *pendingErasures) pending(receipt int64) bool {
	_, open := l.open[receipt]
	return open
}

// working reports whether the erasure of a receipt is open, or finished and not on record.
func (l *pendingErasures) working(receipt int64) bool {
	return l.pending(receipt) || slices.ContainsFunc(l.finished, func(e erasure) bool { return e.receipt == receipt })
}

// oldest returns the time of the oldest open intent, 0 when there is none.
func (l *pendingErasures) oldest() (since int64) {
	for _, e := range l.open {
		if since == 0 || e.since < since {
			since = e.since
		}
	}
	return since
}
