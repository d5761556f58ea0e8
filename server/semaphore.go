package server

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// maxWaiting bounds the calls that wait for a lease, maxWaitingEach those of one key. More calls are refused at once.
	maxWaiting     = 512
	maxWaitingEach = 64
	// A lease may be evicted once its holder has moved less than slowBytes in slowAfter.
	slowAfter = time.Second
	slowBytes = 32 << 10
)

// keyedSemaphore is a weighted semaphore, over bytes of memory or over turns, whose keys share it fairly: one key gets a part,
// mostly a quarter, and waits for more.
//
// A lease may be evicted while its holder is slow. When a call finds nothing free, slow leases are evicted, the one without
// progress for longest first; if no lease is slow, the key with the largest part loses its oldest lease. So no call waits for
// the slow connection of another caller, and slow holders keep what no other call asks for.
type keyedSemaphore struct {
	size, each int              // units in all, and units of one key
	timeout    time.Duration    // how long a call waits at most
	checks     <-chan time.Time // when waiting calls check that their client is still there; nil = every departedInterval
	fifo       bool             // a small request does not overtake a large one that waits; for leases that are short

	mu             sync.Mutex
	used           int
	usage          map[semaphoreKey]keyUsage // only keys that hold or wait
	oldest, newest *lease                    // of the leases that may be evicted, by the time of their last progress
	queue          []*waiter
	served         uint64 // leases that were granted
	counts         SemaphoreStats
}

// semaphoreKey is what leases are counted for: a caller, or an address if the caller is not known.
type semaphoreKey struct {
	caller  string
	address netip.Addr
}

// keyUsage is what one key has.
type keyUsage struct {
	used, waiting int
	served        uint64 // number of its last grant, 0 = none since the key began to hold or to wait
}

// evictable is a call that can lose its lease.
type evictable interface {
	// evict breaks the call off without waiting for its end. It is called once, by another goroutine.
	evict()
}

// abandonable is an evictable whose client may leave without an end of the call's context.
type abandonable interface {
	// gone reports whether no client is left for the answer. The waiting call itself asks, once a second.
	gone() bool
}

// lease is what one call holds of a semaphore.
type lease struct {
	semaphore *keyedSemaphore
	key       semaphoreKey
	size      int
	held      bool

	holder         evictable // nil = the lease is not evicted
	moved          int       // since at
	at             time.Time
	older, younger *lease
	tracked        bool
}

// waiter is a call that found nothing free.
type waiter struct {
	lease *lease
	ready chan struct{} // closed once the lease is granted
}

// SemaphoreStats is the state of a semaphore.
type SemaphoreStats struct {
	Size, Used int    // bytes or turns
	Waiting    int    // calls
	Evicted    uint64 // calls that were too slow when another one needed their lease, so far
	Refused    uint64 // calls that got no lease in time, so far
}

// newSemaphore returns a semaphore of a size, of which one key gets a quarter, but at least 1.
func newSemaphore(size int, patience time.Duration) *keyedSemaphore {
	return newSemaphoreWithShare(size, max(1, size/4), patience)
}

// newSemaphoreWithShare returns a semaphore of a size, of which one key gets each.
func newSemaphoreWithShare(size, each int, patience time.Duration) *keyedSemaphore {
	return &keyedSemaphore{size: size, each: each, timeout: patience, usage: make(map[semaphoreKey]keyUsage)}
}

// acquire fills an empty lease, with the whole share of a key at most, and waits for it if necessary. errCrowded means that the
// wait took too long. The lease must be released afterwards. If holder is not nil, the lease may be evicted.
func (s *keyedSemaphore) acquire(ctx context.Context, l *lease, of semaphoreKey, size int, holder evictable) error {
	l.semaphore, l.key, l.size, l.holder = s, of, min(size, s.each), holder
	w, err := s.enter(l)
	if w != nil {
		err = s.wait(ctx, w)
	}
	return err
}

// enter grants the lease at once, or queues for it.
func (s *keyedSemaphore) enter(l *lease) (*waiter, error) {
	s.mu.Lock()
	var evicted []*lease
	ok := false
	if !s.fifo || len(s.queue) == 0 {
		evicted, ok = s.tryAcquire(l)
	}
	if ok {
		s.mu.Unlock()
		evictAll(evicted)
		return nil, nil
	}
	defer evictAll(evicted)
	defer s.mu.Unlock()
	if s.usage[l.key].waiting >= maxWaitingEach || len(s.queue) >= maxWaiting {
		s.counts.Refused++
		return nil, errCrowded
	}
	s.count(l.key, 0, 1)
	w := &waiter{lease: l, ready: make(chan struct{})}
	s.queue = append(s.queue, w)
	if s.fifo {
		s.grantWaiting()
	}
	return w, nil
}

// wait waits until the lease is granted.
func (s *keyedSemaphore) wait(ctx context.Context, w *waiter) error {
	err := s.awaitLease(ctx, w)
	if err == nil {
		return nil
	}
	s.mu.Lock()
	var evicted []*lease
	held := w.lease.held
	if !held {
		s.queue = slices.DeleteFunc(s.queue, func(other *waiter) bool { return other == w })
		s.count(w.lease.key, 0, -1)
		if err == errCrowded { //nolint:errorlint // the value itself
			evicted, held = s.tryAcquire(w.lease) // a holder may have become slow meanwhile
			if !held {
				s.counts.Refused++
			}
		}
		if s.fifo {
			s.grantWaiting() // the calls that waited behind it
		}
	}
	s.mu.Unlock()
	evictAll(evicted)
	if held {
		return nil
	}
	return err
}

// awaitLease waits until another goroutine has granted the lease, or returns why it waits no longer.
func (s *keyedSemaphore) awaitLease(ctx context.Context, w *waiter) error {
	patience := time.NewTimer(s.timeout)
	defer patience.Stop()
	var looks <-chan time.Time
	client, ok := w.lease.holder.(abandonable)
	if ok && s.checks != nil {
		looks = s.checks
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

// release gives the lease back. It may be called again, and after the lease was evicted.
func (l *lease) release() {
	s := l.semaphore
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.held {
		s.revoke(l)
		s.grantWaiting()
	}
}

// progress records that the holder of the lease moved n bytes.
func (l *lease) progress(n int) {
	s := l.semaphore
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.moved += n; l.moved >= slowBytes && l.tracked {
		s.untrack(l)
		s.track(l)
	}
}

// pin protects the lease from eviction from now on. It reports whether it is still held.
func (l *lease) pin() bool {
	s := l.semaphore
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.tracked {
		s.untrack(l)
	}
	return l.held
}

// resize makes the lease as large as its content turned out to be, even if not so much is free.
func (l *lease) resize(size int) {
	s := l.semaphore
	s.mu.Lock()
	defer s.mu.Unlock()
	if !l.held {
		return
	}
	added := size - l.size
	l.size = size
	s.used += added
	s.count(l.key, added, 0)
	if added < 0 {
		s.grantWaiting()
	}
}

// stats returns the state of the semaphore.
func (s *keyedSemaphore) stats() SemaphoreStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.counts
	st.Size, st.Used, st.Waiting = s.size, s.used, len(s.queue)
	return st
}

// The methods below are called with mu held.

// tryAcquire grants the lease if enough is free, or if other holders are slow. It returns the leases that were revoked for it,
// whose calls are still to be evicted.
func (s *keyedSemaphore) tryAcquire(l *lease) (evicted []*lease, ok bool) {
	now := time.Now()
	for !s.fits(l) {
		victim := s.victim(l, now)
		if victim == nil {
			return evicted, false
		}
		s.revoke(victim)
		s.counts.Evicted++
		evicted = append(evicted, victim)
	}
	s.grant(l)
	if len(evicted) > 0 {
		s.grantWaiting()
	}
	return evicted, true
}

func (s *keyedSemaphore) fits(l *lease) bool {
	return s.withinShare(l) && s.used+l.size <= s.size
}

// withinShare reports whether the lease is within the share of its key.
func (s *keyedSemaphore) withinShare(l *lease) bool {
	return s.usage[l.key].used+l.size <= s.each
}

// victim chooses the lease that is revoked for another one, nil = none.
func (s *keyedSemaphore) victim(l *lease, now time.Time) *lease {
	own := s.usage[l.key].used
	full := own+l.size > s.each // no lease of another key would help
	var largest *lease
	most := own + l.size
	for v := s.oldest; v != nil; v = v.younger {
		slow := now.Sub(v.at) >= slowAfter
		switch {
		case slow && (!full || v.key == l.key):
			return v
		case full && !slow:
			return nil
		case full:
			continue
		}
		if used := s.usage[v.key].used; used > most {
			largest, most = v, used
		}
	}
	return largest
}

func (s *keyedSemaphore) grant(l *lease) {
	l.held = true
	s.used += l.size
	s.count(l.key, l.size, 0)
	if l.holder != nil {
		s.track(l)
	}
}

func (s *keyedSemaphore) revoke(l *lease) {
	l.held = false
	s.used -= l.size
	s.count(l.key, -l.size, 0)
	if l.tracked {
		s.untrack(l)
	}
}

// count changes the usage of a key.
func (s *keyedSemaphore) count(of semaphoreKey, used, waiting int) {
	own := s.usage[of]
	own.used += used
	own.waiting += waiting
	if used > 0 {
		s.served++
		own.served = s.served
	}
	if own.used == 0 && own.waiting == 0 {
		delete(s.usage, of)
	} else {
		s.usage[of] = own
	}
}

// track puts the lease behind all others that may be evicted: its holder has made progress now.
func (s *keyedSemaphore) track(l *lease) {
	l.tracked, l.moved, l.at = true, 0, time.Now()
	l.older, l.younger = s.newest, nil
	if s.newest != nil {
		s.newest.younger = l
	} else {
		s.oldest = l
	}
	s.newest = l
}

func (s *keyedSemaphore) untrack(l *lease) {
	l.tracked = false
	if l.older != nil {
		l.older.younger = l.younger
	} else {
		s.oldest = l.younger
	}
	if l.younger != nil {
		l.younger.older = l.older
	} else {
		s.newest = l.older
	}
	l.older, l.younger = nil, nil
}

func evictAll(evicted []*lease) {
	for _, l := range evicted {
		l.holder.evict()
	}
}
