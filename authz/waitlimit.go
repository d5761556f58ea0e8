package authz

import (
	"net/netip"
	"sync"
)

// waitLimit bounds the calls that wait for what the provider says of an unknown token, including those that share a question. A
// server bounds its waiting calls, too, and unknown tokens must leave room within that bound.
type waitLimit struct {
	total, perAddress int

	mu        sync.Mutex
	waiting   int
	byAddress map[netip.Addr]int // holds only addresses with a call that waits
}

// acquire counts a call. ok is false when there are too many; oneAddress tells whether they are those of this address.
func (w *waitLimit) acquire(address netip.Addr) (oneAddress, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	own := w.byAddress[address]
	if own >= w.perAddress || w.waiting >= w.total {
		return own >= w.perAddress, false
	}
	w.byAddress[address] = own + 1
	w.waiting++
	return false, true
}

// release ends a call that acquire has counted.
func (w *waitLimit) release(address netip.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting--
	if own := w.byAddress[address]; own > 1 {
		w.byAddress[address] = own - 1
	} else {
		delete(w.byAddress, address)
	}
}
