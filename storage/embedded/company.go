package embedded

import "time"

// maxCompanyWait bounds how long changes wait for company, however slow the disk.
const maxCompanyWait = 10 * time.Millisecond

// company has a round wait for the changes that are about to come. A round costs two syncs however many are in it, and callers
// who were answered together come back together: without a wait the first of them has a round of its own, the
// others meanwhile the next one, and so on, in turns of one and many.
//
// Half as many as in the round before is enough. The wait is not longer than that round took: at worst, a change has its answer
// as late as if it had just missed a round. A lone caller never waits, and three do not either; nor does whoever comes when the
// last round is longer ago than anybody waits.
type company struct {
	last  int           // changes in the round before
	took  time.Duration // by that round
	ended time.Time     // that round
	timer *time.Timer
}

func newCompany() *company {
	c := &company{timer: time.NewTimer(0)}
	c.timer.Stop()
	return c
}

// note remembers a round of n changes that began then and ends now.
func (c *company) note(n int, began time.Time) {
	c.last, c.ended = n, time.Now()
	c.took = c.ended.Sub(began)
}

// await returns when enough changes have arrived on the line, beside those at hand, or have not for too long. It returns at once
// where there is nothing at all.
func (c *company) await(l *line, atHand int) {
	want := min(c.last/2, maxRound) - atHand
	if n := l.arrivals(); n+atHand == 0 || n >= want || time.Since(c.ended) > maxCompanyWait {
		return
	}
	l.want(want)
	defer l.want(0)
	c.timer.Reset(min(c.took, maxCompanyWait))
	defer c.timer.Stop()
	for !l.enough() {
		select {
		case <-l.wake:
		case <-c.timer.C:
			return
		}
	}
}
