package authz

import (
	"context"

	"example.org/avatard/authz/limit"
)

// Limits of tokens that are not known, so that a flood of invented tokens does not get in the way of callers whose tokens are known.
const (
	// DefaultUnknownPerSecond and DefaultUnknownBurst are how many of them one client address may have looked up, unless the configuration
	// says otherwise.
	DefaultUnknownPerSecond = 100
	DefaultUnknownBurst     = 200
	// DefaultUnknownWaiting and DefaultUnknownWaitingPerAddress are how many calls with them wait for the provider at one time, in all and
	// of one client address, unless the configuration says otherwise: three quarters of the calls that a server lets wait by default.
	DefaultUnknownWaiting           = 1536
	DefaultUnknownWaitingPerAddress = 192
	// maxAddresses is how many client addresses with unknown tokens are counted one by one at least.
	maxAddresses = 1 << 13
)

// WithClientAddress returns a context that says which address a request came from. Unknown tokens are counted for that
// address; all requests without an address count together.
func WithClientAddress(ctx context.Context, address string) context.Context {
	return addressContext{ctx, address}
}

// addressContext is context.WithValue without an allocation for the value, which few calls read.
type addressContext struct {
	context.Context
	address string
}

type addressKey struct{}

func (c addressContext) Value(key any) any {
	if key == (addressKey{}) {
		return c.address
	}
	return c.Context.Value(key)
}

// limitUnknownRate counts the look-up of an unknown token for the address it came from, and returns an error when there were too many.
func (in *Introspector) limitUnknownRate(ctx context.Context) error {
	address, _ := ctx.Value(addressKey{}).(string)
	if wait, ok := in.unknownRate.Allow(limit.Address(address)); !ok {
		in.observe(operationIntrospection, QuestionRateLimited, 0)
		in.overload.rateLimited(true)
		return &retryError{cause: ErrRateLimited, after: wait}
	}
	return nil
}

// limitUnknownWaiting counts a call with an unknown token that is about to wait for the provider, and returns an error when too many
// wait. Without an error the caller must call release in the end.
func (in *Introspector) limitUnknownWaiting(ctx context.Context) (release func(), err error) {
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
