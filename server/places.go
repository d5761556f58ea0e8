package server

import (
	"context"
	"net/netip"
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
	slowBytes = 32 << 10
)

// places are room in memory, or turns, that owners share. One owner gets a part, mostly a quarter, and waits for more.
//
// A place may be taken away while its owner is slow. When somebody finds no room, those who are slow lose theirs, the one
// without progress for longest first; where nobody is, the owner with the largest part loses its oldest. So nobody waits for
// the slow connection of somebody else, and the slow ones keep what nobody else asks for.
type places struct {
	size, each int              // of all places, and of those of one owner
	patience   time.Duration    // how long a call waits
	looks      <-chan time.Time // when calls that wait look whether their client is there; nil = every departedInterval
	inOrder    bool             // nobody passes those who wait for more than there is; for turns that are short

	mu             sync.Mutex
	used           int
	owners         map[placeOwner]share // nobody who has nothing and wants nothing
	oldest, newest *holding             // of those that may be taken away, by the time of their last progress
	queue          []*waiting
	served         uint64 // places that were given
	counts         PlaceStats
}

// placeOwner is who places are counted for: a caller, or an address where nobody knows the caller.
type placeOwner struct {
	caller  string
	address netip.Addr
}

// share is what one owner has.
type share struct {
	used, waiting int
	served        uint64 // which one was the last that got a place, 0 = none since the owner has anything or wants anything
}

// placeHolder is a call that can lose its place.
type placeHolder interface {
	// giveWay breaks the call off, for which it must not wait. It is called once, by somebody else.
	giveWay()
}

// departing is a placeHolder whose client may leave without an end of the call's context.
type departing interface {
	// gone is asked once a second while the call waits, by the call itself. It reports whether nobody is there for the answer.
	gone() bool
}

// holding is what one call has.
type holding struct {
	places *places
	owner  placeOwner
	size   int
	held   bool

	holder         placeHolder // nil = the place is not taken away
	moved          int         // since at
	at             time.Time
	older, younger *holding
	listed         bool
}

// waiting is a call that found no room.
type waiting struct {
	of    *holding
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
func newPlaces(size int, patience time.Duration) *places {
	return newShares(size, max(1, size/4), patience)
}

// newShares returns places of a size in all, of which one owner gets each.
func newShares(size, each int, patience time.Duration) *places {
	return &places{size: size, each: each, patience: patience, owners: make(map[placeOwner]share)}
}

// take takes a place, of an owner's whole share at most, and waits for it if it has to; errCrowded tells that it took too long.
// The place, which was empty, has to be released then. Unless it is nil, holder is told when the place is taken away.
func (p *places) take(ctx context.Context, pl *holding, of placeOwner, size int, holder placeHolder) error {
	pl.places, pl.owner, pl.size, pl.holder = p, of, min(size, p.each), holder
	w, err := p.enter(pl)
	if w != nil {
		err = p.wait(ctx, w)
	}
	return err
}

// enter takes the place at once, or queues for it.
func (p *places) enter(pl *holding) (*waiting, error) {
	p.mu.Lock()
	var lost []*holding
	ok := false
	if !p.inOrder || len(p.queue) == 0 {
		lost, ok = p.admit(pl)
	}
	if ok {
		p.mu.Unlock()
		cutAll(lost)
		return nil, nil
	}
	defer cutAll(lost)
	defer p.mu.Unlock()
	if p.owners[pl.owner].waiting >= maxWaitingEach || len(p.queue) >= maxWaiting {
		p.counts.Refused++
		return nil, errCrowded
	}
	p.count(pl.owner, 0, 1)
	w := &waiting{of: pl, ready: make(chan struct{})}
	p.queue = append(p.queue, w)
	if p.inOrder {
		p.serveQueue()
	}
	return w, nil
}

// wait waits until the place is held.
func (p *places) wait(ctx context.Context, w *waiting) error {
	err := p.awaitPlace(ctx, w)
	if err == nil {
		return nil
	}
	p.mu.Lock()
	var lost []*holding
	held := w.of.held
	if !held {
		p.queue = slices.DeleteFunc(p.queue, func(other *waiting) bool { return other == w })
		p.count(w.of.owner, 0, -1)
		if err == errCrowded { //nolint:errorlint // the value itself
			lost, held = p.admit(w.of) // somebody may have become slow meanwhile
			if !held {
				p.counts.Refused++
			}
		}
		if p.inOrder {
			p.serveQueue() // those who waited behind it
		}
	}
	p.mu.Unlock()
	cutAll(lost)
	if held {
		return nil
	}
	return err
}

// awaitPlace waits until somebody else has given the call its place, or says why it waits no longer.
func (p *places) awaitPlace(ctx context.Context, w *waiting) error {
	patience := time.NewTimer(p.patience)
	defer patience.Stop()
	var looks <-chan time.Time
	client, ok := w.of.holder.(departing)
	if ok && p.looks != nil {
		looks = p.looks
	} else if ok {
		every := time.NewTicker(departedInterval)
		defer every.Stop()
		looks = every.C
	}
	for {
		select {
		case <-w.ready:
			return nil
		case <-patience.C:
			return errCrowded
		case <-ctx.Done():
			return ctx.Err()
		case <-looks:
			if client.gone() {
				return errDeparted
			}
		}
	}
}

// release gives the place back. It may be called again, also when the place was taken away.
func (pl *holding) release() {
	p := pl.places
	p.mu.Lock()
	defer p.mu.Unlock()
	if pl.held {
		p.drop(pl)
		p.serveQueue()
	}
}

// progress notes that the owner of the place moved n bytes.
func (pl *holding) progress(n int) {
	p := pl.places
	p.mu.Lock()
	defer p.mu.Unlock()
	if pl.moved += n; pl.moved >= slowBytes && pl.listed {
		p.unlist(pl)
		p.list(pl)
	}
}

// keep makes the place one that is not taken away any more. It reports whether it is still there.
func (pl *holding) keep() bool {
	p := pl.places
	p.mu.Lock()
	defer p.mu.Unlock()
	if pl.listed {
		p.unlist(pl)
	}
	return pl.held
}

// resize makes the place as large as what it holds turned out to be, even where there is no room.
func (pl *holding) resize(size int) {
	p := pl.places
	p.mu.Lock()
	defer p.mu.Unlock()
	if !pl.held {
		return
	}
	added := size - pl.size
	pl.size = size
	p.used += added
	p.count(pl.owner, added, 0)
	if added < 0 {
		p.serveQueue()
	}
}

// stats tells how the places stand.
func (p *places) stats() PlaceStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	st := p.counts
	st.Size, st.Used, st.Waiting = p.size, p.used, len(p.queue)
	return st
}

// The methods below are called with mu held.

// admit holds the place if there is room, or if others are slow. It returns those who lost theirs, who are to be cut.
func (p *places) admit(pl *holding) (lost []*holding, ok bool) {
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

func (p *places) fits(pl *holding) bool {
	return p.mayHave(pl) && p.used+pl.size <= p.size
}

// mayHave reports whether the place is within its owner's part.
func (p *places) mayHave(pl *holding) bool {
	return p.owners[pl.owner].used+pl.size <= p.each
}

// victim chooses who makes room for a place, nil = nobody.
func (p *places) victim(pl *holding, now time.Time) *holding {
	own := p.owners[pl.owner].used
	full := own+pl.size > p.each // nobody else's place would help
	var largest *holding
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

func (p *places) hold(pl *holding) {
	pl.held = true
	p.used += pl.size
	p.count(pl.owner, pl.size, 0)
	if pl.holder != nil {
		p.list(pl)
	}
}

func (p *places) drop(pl *holding) {
	pl.held = false
	p.used -= pl.size
	p.count(pl.owner, -pl.size, 0)
	if pl.listed {
		p.unlist(pl)
	}
}

// count changes what is known of an owner.
func (p *places) count(of placeOwner, used, waiting int) {
	own := p.owners[of]
	own.used += used
	own.waiting += waiting
	if used > 0 {
		p.served++
		own.served = p.served
	}
	if own.used == 0 && own.waiting == 0 {
		delete(p.owners, of)
	} else {
		p.owners[of] = own
	}
}

// list puts the place behind all others that may be taken away: its owner has made progress now.
func (p *places) list(pl *holding) {
	pl.listed, pl.moved, pl.at = true, 0, time.Now()
	pl.older, pl.younger = p.newest, nil
	if p.newest != nil {
		p.newest.younger = pl
	} else {
		p.oldest = pl
	}
	p.newest = pl
}

func (p *places) unlist(pl *holding) {
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

func cutAll(lost []*holding) {
	for _, pl := range lost {
		pl.holder.giveWay()
	}
}
