package server

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// maxWaiting bounds the calls that wait for places, maxWaitingEach those of one owner. More are turned away at once.
	maxWaiting     = 512
	maxWaitingEach = 64
	// A place may be taken away once its owner has moved less than slowBytes in slowAfter.
	slowAfter = time.Second
	slowBytes = 16 << 10
)

// places are room in memory, or turns, that owners share: callers or client addresses. One owner gets a quarter and waits for
// more.
//
// A place may be taken away while its owner is slow. When somebody finds no room, those who are slow lose theirs, the one
// without progress for longest first; where nobody is, the owner with the largest part loses its oldest. So nobody waits for
// the slow connection of somebody else, and the slow ones keep what nobody else asks for.
type places[K comparable] struct {
	size, each int           // of all places, and of those of one owner
	patience   time.Duration // how long a call waits

	mu             sync.Mutex
	used           int
	owners         map[K]*share // nobody who has nothing and wants nothing
	oldest, newest *holding[K]  // of those that may be taken away, by the time of their last progress
	queue          []*waiting[K]
	counts         PlaceStats
}

// share is what one owner has.
type share struct{ used, waiting int }

// holding is what one call has.
type holding[K comparable] struct {
	places *places[K]
	owner  K
	size   int
	held   bool

	cut            func() // nil = the place is not taken away
	moved          int    // since at
	at             time.Time
	older, younger *holding[K]
	listed         bool
}

// waiting is a call that found no room.
type waiting[K comparable] struct {
	of    *holding[K]
	ready chan struct{} // closed once it is held
}

// PlaceStats tells how places stand.
type PlaceStats struct {
	Size, Used int    // in the places' unit
	Waiting    int    // calls
	Cut        uint64 // calls that were too slow when somebody else needed their place, so far
	Refused    uint64 // calls that found no place in time, so far
}

// newPlaces returns places of a size in all, of which one owner gets a quarter, but at least 1.
func newPlaces[K comparable](size int, patience time.Duration) *places[K] {
	return &places[K]{size: size, each: max(1, size/4), patience: patience, owners: make(map[K]*share)}
}

// take takes a place, of an owner's whole share at most, and waits for it if it has to; errCrowded tells that it took too long.
// The place has to be released. Unless it is nil, cut is called, once and by somebody else, when the place is taken away. It must
// not block.
func (p *places[K]) take(ctx context.Context, owner K, size int, cut func()) (*holding[K], error) {
	pl := &holding[K]{places: p, owner: owner, size: min(size, p.each), cut: cut}
	w, err := p.enter(pl)
	if w != nil {
		err = p.wait(ctx, w)
	}
	if err != nil {
		return nil, err
	}
	return pl, nil
}

// enter takes the place at once, or queues for it.
func (p *places[K]) enter(pl *holding[K]) (*waiting[K], error) {
	p.mu.Lock()
	lost, ok := p.admit(pl)
	if ok {
		p.mu.Unlock()
		cutAll(lost)
		return nil, nil
	}
	defer cutAll(lost)
	defer p.mu.Unlock()
	own := p.shareOf(pl.owner)
	if own.waiting >= maxWaitingEach || len(p.queue) >= maxWaiting {
		p.forget(pl.owner)
		p.counts.Refused++
		return nil, errCrowded
	}
	own.waiting++
	w := &waiting[K]{of: pl, ready: make(chan struct{})}
	p.queue = append(p.queue, w)
	return w, nil
}

// wait waits until the place is held.
func (p *places[K]) wait(ctx context.Context, w *waiting[K]) error {
	patience := time.NewTimer(p.patience)
	defer patience.Stop()
	select {
	case <-w.ready:
		return nil
	case <-patience.C:
	case <-ctx.Done():
	}
	p.mu.Lock()
	var lost []*holding[K]
	held := w.of.held
	if !held {
		p.queue = slices.DeleteFunc(p.queue, func(other *waiting[K]) bool { return other == w })
		p.shareOf(w.of.owner).waiting--
		if ctx.Err() == nil {
			lost, held = p.admit(w.of) // somebody may have become slow meanwhile
			if !held {
				p.counts.Refused++
			}
		}
		p.forget(w.of.owner)
	}
	p.mu.Unlock()
	cutAll(lost)
	switch {
	case held:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return errCrowded
}

// release gives the place back. It may be called again, also when the place was taken away.
func (pl *holding[K]) release() {
	p := pl.places
	p.mu.Lock()
	defer p.mu.Unlock()
	if pl.held {
		p.drop(pl)
		p.serveQueue()
	}
}

// progress notes that the owner of the place moved n bytes.
func (pl *holding[K]) progress(n int) {
	p := pl.places
	p.mu.Lock()
	defer p.mu.Unlock()
	if pl.moved += n; pl.moved >= slowBytes && pl.listed {
		p.unlist(pl)
		p.list(pl)
	}
}

// keep makes the place one that is not taken away any more. It reports whether it is still there.
func (pl *holding[K]) keep() bool {
	p := pl.places
	p.mu.Lock()
	defer p.mu.Unlock()
	if pl.listed {
		p.unlist(pl)
	}
	return pl.held
}

// resize makes the place as large as what it holds turned out to be, even where there is no room.
func (pl *holding[K]) resize(size int) {
	p := pl.places
	p.mu.Lock()
	defer p.mu.Unlock()
	if !pl.held {
		return
	}
	added := size - pl.size
	pl.size = size
	p.used += added
	p.owners[pl.owner].used += added
	if added < 0 {
		p.serveQueue()
	}
}

// stats tells how the places stand.
func (p *places[K]) stats() PlaceStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	st := p.counts
	st.Size, st.Used, st.Waiting = p.size, p.used, len(p.queue)
	return st
}

// The methods below are called with mu held.

// admit holds the place if there is room, or if others are slow. It returns those who lost theirs, who are to be cut.
func (p *places[K]) admit(pl *holding[K]) (lost []*holding[K], ok bool) {
	now := time.Now()
	for !p.fits(pl) {
		victim := p.victim(pl, now)
		if victim == nil {
			return lost, false
		}
		p.drop(victim)
		p.counts.Cut++
		lost = append(lost, victim)
	}
	p.hold(pl)
	if len(lost) > 0 {
		p.serveQueue()
	}
	return lost, true
}

func (p *places[K]) fits(pl *holding[K]) bool {
	own := 0
	if s := p.owners[pl.owner]; s != nil {
		own = s.used
	}
	return own+pl.size <= p.each && p.used+pl.size <= p.size
}

// victim chooses who makes room for a place, nil = nobody.
func (p *places[K]) victim(pl *holding[K], now time.Time) *holding[K] {
	own := 0
	if s := p.owners[pl.owner]; s != nil {
		own = s.used
	}
	full := own+pl.size > p.each // nobody else's place would help
	var largest *holding[K]
	most := own + pl.size
	for v := p.oldest; v != nil; v = v.younger {
		slow := now.Sub(v.at) >= slowAfter
		switch {
		case slow && (!full || v.owner == pl.owner):
			return v
		case full && !slow:
			return nil
		case full:
			continue
		}
		if used := p.owners[v.owner].used; used > most {
			largest, most = v, used
		}
	}
	return largest
}

func (p *places[K]) hold(pl *holding[K]) {
	pl.held = true
	p.used += pl.size
	p.shareOf(pl.owner).used += pl.size
	if pl.cut != nil {
		p.list(pl)
	}
}

func (p *places[K]) drop(pl *holding[K]) {
	pl.held = false
	p.used -= pl.size
	p.owners[pl.owner].used -= pl.size
	p.forget(pl.owner)
	if pl.listed {
		p.unlist(pl)
	}
}

// serveQueue gives places to those who wait, as long as there is room: of those for whom there is, the owner that has least
// comes first, then who has waited longest.
func (p *places[K]) serveQueue() {
	for {
		next, least := -1, 0
		for i, w := range p.queue {
			if used := p.owners[w.of.owner].used; p.fits(w.of) && (next < 0 || used < least) {
				next, least = i, used
			}
		}
		if next < 0 {
			return
		}
		w := p.queue[next]
		p.queue = slices.Delete(p.queue, next, next+1)
		p.owners[w.of.owner].waiting--
		p.hold(w.of)
		close(w.ready)
	}
}

func (p *places[K]) shareOf(owner K) *share {
	own := p.owners[owner]
	if own == nil {
		own = new(share)
		p.owners[owner] = own
	}
	return own
}

func (p *places[K]) forget(owner K) {
	if own := p.owners[owner]; own != nil && *own == (share{}) {
		delete(p.owners, owner)
	}
}

// list puts the place behind all others that may be taken away: its owner has made progress now.
func (p *places[K]) list(pl *holding[K]) {
	pl.listed, pl.moved, pl.at = true, 0, time.Now()
	pl.older, pl.younger = p.newest, nil
	if p.newest != nil {
		p.newest.younger = pl
	} else {
		p.oldest = pl
	}
	p.newest = pl
}

func (p *places[K]) unlist(pl *holding[K]) {
	pl.listed = false
	if pl.older != nil {
		pl.older.younger = pl.younger
	} else {
		p.oldest = pl.younger
	}
	if pl.younger != nil {
		pl.younger.older = pl.older
	} else {
		p.newest = pl.older
	}
	pl.older, pl.younger = nil, nil
}

func cutAll[K comparable](lost []*holding[K]) {
	for _, pl := range lost {
		pl.cut()
	}
}
