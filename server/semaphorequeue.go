package server

import "slices"

// grantWaiting grants leases to waiting calls as long as enough is free. Of the calls that fit, the key that holds least comes first,
// then the key whose last grant is longest ago, then the call that has waited longest. In a fifo semaphore no call overtakes one
// that waits for more than is free.
func (s *keyedSemaphore) grantWaiting() {
	for {
		next := -1
		var best keyUsage
		for i, w := range s.queue {
			own := s.usage[w.lease.key]
			if (s.fits(w.lease) || s.fifo && s.withinShare(w.lease)) && (next < 0 || own.used < best.used || own.used == best.used && own.served < best.served) {
				next, best = i, own
			}
		}
		if next < 0 || !s.fits(s.queue[next].lease) {
			return
		}
		w := s.queue[next]
		s.queue = slices.Delete(s.queue, next, next+1)
		s.grant(w.lease)
		s.count(w.lease.key, 0, -1)
		close(w.ready)
	}
}
