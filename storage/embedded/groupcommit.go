package embedded

import (
	"time"

	"avatard/storage/embedded/internal/slab"
)

const (
	// enoughRequests is how many changes in a group commit are enough: with more, its two syncs cost little for each.
	enoughRequests = 32
	// maxBatchWait bounds how long a group commit waits for company, however slow the disk.
	maxBatchWait = 10 * time.Millisecond
)

// batchWindow keeps a group commit open for the changes that are on their way. A group commit costs two syncs however many are in it, and callers
// who were answered together come back together: without a wait the first of them has a group commit of its own, the
// others meanwhile the next one, and so on, in turns of one and many. What is there already is recorded meanwhile, so that
// little is left to do when the last one comes.
//
// Three quarters of those who were there lately are enough: the rest keeps the processors busy during the syncs. The wait
// is not longer than the last group commit took without it: at worst, a change has its answer as late as if it had just missed a group commit.
// One caller never waits, and two do not either; nor does whoever comes when the last group commit is longer ago than anybody waits.
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
	cutShort bool // somebody was in a hurry: nothing joins any more
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

// end ends the group commit, which was of n changes. So many others have arrived since it was closed.
func (c *batchWindow) end(n, arrived int) {
	c.known, c.ended = n+arrived, time.Now()
	c.took = c.ended.Sub(c.began) - c.waited
}

// await reports whether changes have arrived in the queue for a group commit that has some already. Unless the group commit has enough, or
// somebody is in a hurry, it waits for half of those that are missing: a few in a row cost less than one by one. Who is in a
// hurry waits for those that have arrived, and for nobody after them.
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

// noMore lets no request join.
func noMore(int) []*request { return nil }

// moreRequests returns changes to add to the transaction under way, which has some already; none when it is to be committed. An
// upload that the slab has to grow for waits for the next group commit, and ends this one.
func (s *Store) moreRequests(has int) []*request {
	if has == 0 || has >= maxBatch || len(s.requeued) > 0 {
		return nil
	}
	s.db.yields.Store(true) // before anybody who wants the database is looked for
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
