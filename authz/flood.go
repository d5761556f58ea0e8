package authz

import (
	"context"
	"errors"
	"sync"
	"time"

	"avatard/authz/limit"
)

// Whoever sends tokens that nobody knows must not get in the way of those whose tokens are known.
const (
	// knownFor is how long a token counts as known after the provider has called it active.
	knownFor = 10 * time.Minute
	// maxKnown tokens are remembered at least, and twice as many at most: 48 bytes each.
	maxKnown = 1 << 14
	// maxAddresses with unknown tokens are counted one by one at least.
	maxAddresses = 1 << 13
	// knownPlaces of the maxConcurrent places are for known tokens alone.
	reservedForKnown = 16
)

// How many tokens that are not known one client address may have looked up, unless the configuration says otherwise.
const (
	DefaultUnknownPerSecond = 100
	DefaultUnknownBurst     = 200
)

// WithClientAddress returns a context that says which address a request came from. Unknown tokens are counted for that
// address; without one, all that have none count together.
func WithClientAddress(ctx context.Context, address string) context.Context {
	return addressContext{ctx, address}
}

// addressContext is context.WithValue with nothing to allocate for the value: it is looked at on few calls.
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

// admitUnknown counts a token that is not known for the address it came from.
func (in *Introspector) limitUnknownRate(ctx context.Context) error {
	address, _ := ctx.Value(addressKey{}).(string)
	if wait, ok := in.unknownRate.Allow(limit.Address(address)); !ok {
		in.observe(operationIntrospection, QuestionRateLimited, 0)
		in.overload.rateLimited(true)
		return &retryError{cause: ErrRateLimited, after: wait}
	}
	return nil
}

// knownTokens remembers which tokens were active of late. It holds hashes and times, no answer: being known lets a token
// be asked about, not in.
type knownTokens struct {
	life time.Duration

	mu    sync.Mutex
	until *limit.RecentMap[cacheKey, int64] // Unix nanoseconds
}

// newKnownTokens returns an empty memory. An answer that a cache keeps for ttl is as good as new all that time.
func newKnownTokens(ttl time.Duration) *knownTokens {
	return &knownTokens{life: knownFor + ttl, until: limit.NewRecentMap[cacheKey, int64](maxKnown)}
}

func (k *knownTokens) has(key cacheKey, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	until, ok := k.until.Get(key)
	return ok && now.UnixNano() < until
}

// note takes in what the provider said of a token. One that is refused now is known no more.
func (k *knownTokens) note(key cacheKey, active bool, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if active {
		k.until.Set(key, now.Add(k.life).UnixNano())
	} else {
		k.until.Delete(key)
	}
}

// seat is the kind of place that a question needs.
type priority int

const (
	unlimited    priority = iota // discovery: there is only one at a time
	highPriority                 // about a known token
	lowPriority                  // about any other
)

// places bounds what the provider is asked at one time. Unknown tokens need a place of their own first, of which there
// are fewer, so that known ones always find some free.
type concurrencyLimit struct {
	all, unknown chan struct{}
}

func newConcurrencyLimit() concurrencyLimit {
	return concurrencyLimit{all: make(chan struct{}, maxConcurrent), unknown: make(chan struct{}, maxConcurrent-reservedForKnown)}
}

// errNoPlace says nothing about the provider: it was not asked, or hardly.
var errNoCapacity = errors.New("no place among the questions in time")

// take waits for a place. Whoever gets one gives it back with free.
func (l concurrencyLimit) acquire(ctx context.Context, priority priority) error {
	if priority == unlimited {
		return nil
	}
	if priority == lowPriority {
		select {
		case l.unknown <- struct{}{}:
		case <-ctx.Done():
			return errNoCapacity
		}
	}
	select {
	case l.all <- struct{}{}:
		return nil
	case <-ctx.Done():
		if priority == lowPriority {
			<-l.unknown
		}
		return errNoCapacity
	}
}

func (l concurrencyLimit) release(priority priority) {
	if priority == unlimited {
		return
	}
	<-l.all
	if priority == lowPriority {
		<-l.unknown
	}
}
