package authz

import (
	"context"
	"net/netip"
	"sync"

	"avatard/authz/limit"
)

// How many calls wait for the provider at one time with tokens that are not known, in all and of one client address, unless the
// configuration says otherwise: three quarters of what a server lets wait by default.
const (
	DefaultUnknownWaiting           = 1536
	DefaultUnknownWaitingPerAddress = 192
)

// unknownWaiting counts calls that wait for what the provider says of an unknown token, those that share a question included. A
// server has bounds for its calls, too; whoever sends unknown tokens must leave room within them.
type unknownWaiting struct {
	most, each int

	mu  sync.Mutex
	all int
	of  map[netip.Addr]int // no address without a call
}

// enter counts a call. It says no when there are too many, and whether they are those of the address.
func (w *unknownWaiting) enter(address netip.Addr) (oneAddress, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	own := w.of[address]
	if own >= w.each || w.all >= w.most {
		return own >= w.each, false
	}
	w.of[address] = own + 1
	w.all++
	return false, true
}

// leave takes a call off that enter has counted.
func (w *unknownWaiting) leave(address netip.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all--
	if own := w.of[address]; own > 1 {
		w.of[address] = own - 1
	} else {
		delete(w.of, address)
	}
}

// waitUnknown counts a call with a token that is not known. Whoever calls it calls leave in the end, unless there is an error.
func (in *Introspector) waitUnknown(ctx context.Context) (leave func(), err error) {
	text, _ := ctx.Value(addressKey{}).(string)
	address := limit.Address(text)
	oneAddress, ok := in.waiting.enter(address)
	if !ok {
		in.tell(stepIntrospection, QuestionFlood, 0)
		in.crowd.flood(oneAddress)
		return nil, &retryError{cause: ErrFlood, after: crowdRetry}
	}
	return func() { in.waiting.leave(address) }, nil
}
