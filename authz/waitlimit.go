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
type waitLimit struct {
	total, perAddress int

	mu        sync.Mutex
	waiting   int
	byAddress map[netip.Addr]int // no address without a call
}

// enter counts a call. It says no when there are too many, and whether they are those of the address.
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

// leave takes a call off that enter has counted.
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

// waitUnknown counts a call with a token that is not known. Whoever calls it calls leave in the end, unless there is an error.
func (in *Introspector) limitUnknownWaiting(ctx context.Context) (leave func(), err error) {
	text, _ := ctx.Value(addressKey{}).(string)
	address := limit.Address(text)
	oneAddress, ok := in.unknownWaiting.acquire(address)
	if !ok {
		in.observe(operationIntrospection, QuestionRateLimited, 0)
		in.overload.rateLimited(oneAddress)
		return nil, &retryError{cause: ErrRateLimited, after: overloadRetryAfter}
	}
	return func() { in.unknownWaiting.release(address) }, nil
}
