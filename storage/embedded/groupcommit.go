package embedded

import (
	"time"

	"example.org/avatard/storage/embedded/internal/slab"
)

const (
	// enoughRequests is how many changes in a group commit are enough: with more, its two syncs cost little for each.
	enoughRequests = 32
	// maxBatchWait bounds how long a group commit waits for further changes, however slow the disk.
	maxBatchWait = 10 * time.Millisecond
)

// batchWindow keeps a group commit open for the changes that are on their way. A group commit costs two syncs however many changes are in
// it, and callers that were answered together come back together. Without a wait the first of them would get a group commit of its own,
// the others the next one, and so on, in turns of one and many. The changes that have arrived are applied during the wait, so that little
// is left to do when the last one comes.
//
// Three quarters of the changes that there were lately are enough: the rest keeps the processors busy during the syncs. The wait is not
// longer than the last group commit took without it: at worst, a change has its answer as late as if it had just missed a group commit.
// One or two callers never wait, and neither does a change that comes more than maxBatchWait after the last group commit.
type batchWindow struct {
	known int           // changes in the last group commit, and those that had arrived when it ended
	took  time.Duration // by that group commit, without waiting
	ended time.Time     // that group commit
	timer *time.Timer

	// Of the group commit that is open.
	began    time.Time
	want     int
	patience time.Duration
	waited   time.Duration
	cutShort bool // the database was wanted: nothing joins any more
}

func newBatchWindow() *batchWindow {
	c := &batchWindow{timer: time.NewTimer(0)}
	c.timer.Stop()
	return c
}

// begin begins a group commit.
func (c *batchWindow) begin() {
	c.began = time.Now()
	c.want, c.patience, c.waited = min(c.known*3/4, enoughRequests), min(c.took, maxBatchWait), 0
	if c.began.Sub(c.ended) > maxBatchWait {
		c.want = 0
	}
	c.cutShort = false
}

// end ends the group commit, which had n changes. arrived counts those that have arrived since it was closed.
func (c *batchWindow) end(n, arrived int) {
	c.known, c.ended = n+arrived, time.Now()
	c.took = c.ended.Sub(c.began) - c.waited
}

// await reports whether changes have arrived in the queue for a group commit that has some already. It waits for half of those that are
// missing, because taking a few together costs less than one by one, unless the group commit has enough or hurry reports that the database
// is wanted. Then the group commit takes the changes that have arrived, and none after them.
func (c *batchWindow) await(l *queue, has int, hurry func() bool) bool {
	if c.cutShort {
		return false
	}
	half := (c.want - has + 1) / 2
	for {
		n := l.arrivals()
		c.cutShort = hurry()
		if c.cutShort || n >= half || has >= c.want || c.waited >= c.patience || l.isClosed() {
			return n > 0
		}
		began := time.Now()
		l.want(half)
		c.timer.Reset(c.patience - c.waited)
		select {
		case <-l.wake:
		case <-c.timer.C:
		}
		c.timer.Stop()
		l.want(0)
		c.waited += time.Since(began)
	}
}

// noMore returns no requests, for a group commit that none may join.
func noMore(int) []*request { return nil }

// moreRequests returns changes to add to the transaction under way, which has some already; none when it is to be committed. An
// upload that the slab has to grow for waits for the next group commit, and ends this one.
func (s *Store) moreRequests(has int) []*request {
	if has == 0 || has >= maxBatch || len(s.requeued) > 0 {
		return nil
	}
	s.db.yields.Store(true) // before isWanted is asked, so that a goroutine that comes later calls hurry
	defer s.db.yields.Store(false)
	if !s.window.await(&s.queue, has, s.db.isWanted) {
		return nil
	}
	arrived, _, _ := s.queue.take(nil, maxBatch-has)
	joining := arrived[:0]
	var need [len(slab.ClassPages)]int
	for _, t := range arrived {
		if c, ok := t.op.slotClass(); ok {
			if need[c]++; int64(need[c]) > s.slots.Free(c) {
				s.requeued = append(s.requeued, t)
				continue
			}
		}
		joining = append(joining, t)
	}
	return joining
}
