package embedded

import (
	"time"

	"avatard/storage/embedded/internal/slab"
)

const (
	// maxCompany is how many changes in a round are enough: with more, its two syncs cost little for each.
	maxCompany = 32
	// maxCompanyWait bounds how long a round waits for company, however slow the disk.
	maxCompanyWait = 10 * time.Millisecond
)

// company keeps a round open for the changes that are on their way. A round costs two syncs however many are in it, and callers
// who were answered together come back together: without a wait the first of them has a round of its own, the
// others meanwhile the next one, and so on, in turns of one and many. What is there already is recorded meanwhile, so that
// little is left to do when the last one comes.
//
// Three quarters of those who were there lately are enough: the rest keeps the processors busy during the syncs. The wait
// is not longer than the last round took without it: at worst, a change has its answer as late as if it had just missed a round.
// One caller never waits, and two do not either; nor does whoever comes when the last round is longer ago than anybody waits.
type company struct {
	known int           // changes in the last round, and those that had arrived when it ended
	took  time.Duration // by that round, without waiting
	ended time.Time     // that round
	timer *time.Timer

	// Of the round that is open.
	began    time.Time
	want     int
	patience time.Duration
	waited   time.Duration
	hurried  bool // somebody was in a hurry: nothing joins any more
}

func newCompany() *company {
	c := &company{timer: time.NewTimer(0)}
	c.timer.Stop()
	return c
}

// begin begins a round.
func (c *company) begin() {
	c.began = time.Now()
	c.want, c.patience, c.waited = min(c.known*3/4, maxCompany), min(c.took, maxCompanyWait), 0
	if c.began.Sub(c.ended) > maxCompanyWait {
		c.want = 0
	}
	c.hurried = false
}

// end ends the round, which was of n changes. So many others have arrived since it was closed.
func (c *company) end(n, arrived int) {
	c.known, c.ended = n+arrived, time.Now()
	c.took = c.ended.Sub(c.began) - c.waited
}

// await reports whether changes have arrived on the line for a round that has some already. Unless the round has enough, or
// somebody is in a hurry, it waits for half of those that are missing: a few in a row cost less than one by one. Who is in a
// hurry waits for those that have arrived, and for nobody after them.
func (c *company) await(l *line, has int, hurry func() bool) bool {
	if c.hurried {
		return false
	}
	half := (c.want - has + 1) / 2
	for {
		n := l.arrivals()
		c.hurried = hurry()
		if c.hurried || n >= half || has >= c.want || c.waited >= c.patience || l.isClosed() {
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

// nobody joins a round.
func nobody(int) []*ticket { return nil }

// joining returns changes to add to the transaction under way, which has some already; none when it is to be committed. An
// upload that the slab has to grow for waits for the next round, and ends this one.
func (s *Store) joining(has int) []*ticket {
	if has == 0 || has >= maxRound || len(s.again) > 0 {
		return nil
	}
	s.db.yields.Store(true) // before anybody who wants the database is looked for
	defer s.db.yields.Store(false)
	if !s.company.await(&s.line, has, s.db.isWanted) {
		return nil
	}
	arrived, _, _ := s.line.take(nil, maxRound-has)
	joining := arrived[:0]
	var need [len(slab.ClassPages)]int
	for _, t := range arrived {
		if c, ok := t.work.need(); ok {
			if need[c]++; int64(need[c]) > s.slots.Free(c) {
				s.again = append(s.again, t)
				continue
			}
		}
		joining = append(joining, t)
	}
	return joining
}
