package authz

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Bounds of the cache. Refused tokens are kept apart, so that invented tokens do not push out valid ones.
const (
	maxAccepted      = 10_000
	maxAcceptedBytes = 32 << 20
	maxRefused       = 2_000
	maxRefusedBytes  = 2 << 20
	// maxRefusedTTL keeps a token that the provider did not know yet from being refused for long.
	maxRefusedTTL = time.Second
	// maxFlights bounds the questions that run or wait for their turn. Those about unknown tokens may use three quarters of it.
	maxFlights        = 4_096
	maxUnknownFlights = maxFlights * 3 / 4
)

// cacheable is an answer of the provider that a cache can hold.
type cacheable interface {
	// accepted reports whether the answer lets the caller do something. Refusals are kept for a shorter time.
	accepted() bool
	// expiry is when an accepting answer ends by itself, in Unix seconds; 0 = never.
	expiry() int64
	// size is about how many bytes of memory the answer takes.
	size() int
}

// cache keeps answers of the provider for a short time, and lets callers with the same question share one flight.
// Errors are never kept. What follows from an answer is computed anew for each request.
//
// With a ttl of 0 it keeps nothing and nothing is shared: each caller asks.
type cache[V cacheable] struct {
	ttl time.Duration
	now func() time.Time

	mu                sync.Mutex
	accepted, refused fifoCache[V]
	flights           map[cacheKey]*flight[V]
	unfinished        int // flights, including those that left the map because they are too old to be joined
	hits, misses      uint64
}

func newCache[V cacheable](ttl time.Duration, now func() time.Time) *cache[V] {
	return &cache[V]{
		ttl:      ttl,
		now:      now,
		accepted: newFIFOCache[V](maxAccepted, maxAcceptedBytes),
		refused:  newFIFOCache[V](maxRefused, maxRefusedBytes),
		flights:  make(map[cacheKey]*flight[V]),
	}
}

// enabled reports whether answers are kept and shared.
func (c *cache[V]) enabled() bool { return c.ttl > 0 }

// get returns the answer that is kept under key, nil when there is none or its time is over.
func (c *cache[V]) get(key cacheKey, now time.Time) *V {
	if !c.enabled() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.find(key, now)
	if v != nil {
		c.hits++
	} else {
		c.misses++
	}
	return v
}

func (c *cache[V]) find(key cacheKey, now time.Time) *V {
	if v := c.accepted.get(key, now); v != nil {
		return v
	}
	return c.refused.get(key, now)
}

// errTooManyFlights: as many questions are under way as there may be. waitError tells the caller what that means.
var errTooManyFlights = fmt.Errorf("%w: too many look-ups under way", ErrUnavailable)

// question is what a caller wants to know, and how to ask the provider for it.
type question[V cacheable] struct {
	key cacheKey
	// known: the token was active of late, so the question may use the capacity reserved for such tokens.
	known bool
	// admit is called before the provider is asked, and not for callers that join a flight. It returns an error when the question must
	// not be asked. nil = it always may.
	admit func() error
	ask   func(context.Context) (V, error)
}

func (q *question[V]) checkAdmission() error {
	if q.admit == nil {
		return nil
	}
	return q.admit()
}

// doShared returns what the provider answers to a question about a known token, which may be the answer to another caller.
// It waits no longer than the time-out.
func doShared[V cacheable](caller context.Context, client *providerClient, op *operation, c *cache[V], keys questionKeys, call func(context.Context) (V, error)) (v V, err error) {
	if err := client.failedBefore(op, keys.question, c.enabled()); err != nil {
		return v, err
	}
	deadline := time.Now().Add(client.timeout)
	v, err = c.do(caller, deadline, question[V]{key: keys.question, known: true, ask: func(ctx context.Context) (V, error) {
		return do(ctx, client, op, keys, deadline, call)
	}})
	return v, client.waitError(caller, op, err)
}

// do returns the answer to a question, which it asks when no answer is kept. Callers with the same key wait for one flight, until the
// deadline at most. The flight has a context of its own and goes on without them. A flight that is as old as the ttl is not joined:
// the provider may have looked at the token before it was revoked. When a flight fails, callers that had only joined it ask once more:
// it began before they came, and the provider may work by now.
func (c *cache[V]) do(caller context.Context, deadline time.Time, q question[V]) (v V, err error) {
	if !c.enabled() {
		if err := q.checkAdmission(); err != nil {
			return v, err
		}
		return q.ask(caller) // which ends with its caller
	}
	ctx, cancel := context.WithDeadline(caller, deadline)
	defer cancel()
	v, joined, err := c.doOnce(ctx, q)
	if err != nil && joined && contextError(ctx) == nil {
		v, _, err = c.doOnce(ctx, q)
	}
	return v, err
}

// doOnce is do without the second attempt. joined tells that the flight was another caller's.
func (c *cache[V]) doOnce(ctx context.Context, q question[V]) (v V, joined bool, err error) {
	pending, joined, err := c.join(q, &v)
	if pending == nil {
		return v, false, err
	}
	v, err = pending.wait(ctx)
	return v, joined, err
}

// join returns the flight to wait for, which begins here unless joined. Without a flight, kept or err is the result.
func (c *cache[V]) join(q question[V], kept *V) (pending *flight[V], joined bool, err error) {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := c.find(q.key, now); v != nil {
		*kept = *v
		return nil, false, nil
	}
	if pending := c.flights[q.key]; pending != nil && now.Sub(pending.started) < c.ttl {
		return pending, true, nil
	}
	most := maxUnknownFlights
	if q.known {
		most = maxFlights
	}
	if c.unfinished >= most {
		return nil, false, errTooManyFlights
	}
	if err := q.checkAdmission(); err != nil {
		return nil, false, err
	}
	mine := newFlight[V](now)
	c.flights[q.key] = mine
	c.unfinished++
	go func() {
		v, err := q.ask(context.Background())
		c.complete(q.key, mine, v, err)
	}()
	return mine, false, nil
}

// complete ends a flight. Its answer is kept before the flight leaves the map, so that no caller asks in between.
func (c *cache[V]) complete(key cacheKey, mine *flight[V], v V, err error) {
	c.mu.Lock()
	if err == nil {
		c.store(key, v, mine.started)
	}
	if c.flights[key] == mine {
		delete(c.flights, key)
	}
	c.unfinished--
	c.mu.Unlock()
	mine.finish(v, err)
}

// store keeps an answer. Its time counts from the start of the flight, since the provider may have decided right
// then; the answer of a flight that took longer than the ttl is not kept at all.
func (c *cache[V]) store(key cacheKey, v V, started time.Time) {
	kept, ttl := &c.accepted, c.ttl
	if !v.accepted() {
		kept, ttl = &c.refused, min(c.ttl/2, maxRefusedTTL)
	} else if end := v.expiry(); end != 0 && end-started.Unix() < int64(ttl/time.Second)+1 {
		ttl = min(ttl, time.Unix(end, 0).Sub(started))
	}
	now, until := c.now(), started.Add(ttl)
	if !now.Before(until) {
		return
	}
	c.accepted.remove(key)
	c.refused.remove(key)
	kept.put(key, v, until, now)
}
