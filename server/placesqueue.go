package server

import "slices"

// serveQueue gives places to those who wait, as long as there is room: of those for whom there is, the owner that has least
// comes first, then the one whose turn was longest ago, then who has waited longest. In order, nobody passes those who wait for
// more room than there is.
func (p *places) serveQueue() {
	for {
		next := -1
		var best share
		for i, w := range p.queue {
			own := p.owners[w.of.owner]
			if (p.fits(w.of) || p.inOrder && p.mayHave(w.of)) && (next < 0 || own.used < best.used || own.used == best.used && own.served < best.served) {
				next, best = i, own
			}
		}
		if next < 0 || !p.fits(p.queue[next].of) {
			return
		}
		w := p.queue[next]
		p.queue = slices.Delete(p.queue, next, next+1)
		p.hold(w.of)
		p.count(w.of.owner, 0, -1)
		close(w.ready)
	}
}
