package authz

import (
	"container/list"
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"
)

// Bounds of the cache. Refused tokens have a shelf of their own, so that inventing tokens pushes out no good one.
const (
	maxAccepted      = 10_000
	maxAcceptedBytes = 32 << 20
	maxRefused       = 2_000
	maxRefusedBytes  = 2 << 20
	// maxRefusedTTL keeps a token that the provider did not know yet from being refused for long.
	maxRefusedTTL = time.Second
	// maxCalls bounds the look-ups that run or wait for their turn.
	maxCalls = 4_096
)

// cacheKey is the hash of everything an answer depends on: issuer, endpoint, client and the whole token. The token
// itself is not kept.
type cacheKey [sha256.Size]byte

// cache keeps verdicts on tokens for a short time and lets callers with the same token share one look-up. Errors are
// never kept. What a caller may do is no part of it: that is computed anew for each request.
type cache struct {
	ttl time.Duration // > 0
	now func() time.Time

	mu                sync.Mutex
	accepted, refused shelf
	calls             map[cacheKey]*call[verdict]
	running           int // calls that have not finished, those no longer in the map included
}

func newCache(ttl time.Duration, now func() time.Time) *cache {
	return &cache{
		ttl:      ttl,
		now:      now,
		accepted: newShelf(maxAccepted, maxAcceptedBytes),
		refused:  newShelf(maxRefused, maxRefusedBytes),
		calls:    make(map[cacheKey]*call[verdict]),
	}
}

// get returns the verdict that is kept under key, nil when there is none or its time is over.
func (c *cache) get(key cacheKey, now time.Time) *verdict {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept(key, now)
}

func (c *cache) kept(key cacheKey, now time.Time) *verdict {
	if v := c.accepted.get(key, now); v != nil {
		return v
	}
	return c.refused.get(key, now)
}

// share returns the verdict under key, asking for it when none is kept. Callers with the same key wait for one ask,
// which runs on a context of its own and goes on without them. A call that is as old as the ttl is joined no more:
// the provider may have looked at the token before it was revoked. When a call fails, whoever had only joined it has
// it asked once more: it began before they came, and the provider may be well by now.
func (c *cache) share(ctx context.Context, key cacheKey, ask func(context.Context) (verdict, error)) (verdict, error) {
	v, joined, err := c.shareOnce(ctx, key, ask)
	if err != nil && joined && ended(ctx) == nil {
		v, _, err = c.shareOnce(ctx, key, ask)
	}
	return v, err
}

// shareOnce is share without the second time. joined tells that the call was somebody else's.
func (c *cache) shareOnce(ctx context.Context, key cacheKey, ask func(context.Context) (verdict, error)) (v verdict, joined bool, err error) {
	now := c.now()
	c.mu.Lock()
	if v := c.kept(key, now); v != nil {
		c.mu.Unlock()
		return *v, false, nil
	}
	pending := c.calls[key]
	joined = pending != nil && now.Sub(pending.started) < c.ttl
	if !joined {
		if c.running >= maxCalls {
			c.mu.Unlock()
			return verdict{}, false, fmt.Errorf("%w: %d look-ups under way", ErrUnavailable, maxCalls)
		}
		pending = newCall[verdict](now)
		c.calls[key] = pending
		c.running++
		go func(mine *call[verdict]) {
			v, err := ask(context.Background())
			c.settle(key, mine, v, err)
		}(pending)
	}
	c.mu.Unlock()
	v, err = pending.wait(ctx)
	return v, joined, err
}

// settle ends a call. Its verdict is on the shelf before the call leaves the map, so that nobody asks in between.
func (c *cache) settle(key cacheKey, mine *call[verdict], v verdict, err error) {
	c.mu.Lock()
	if err == nil {
		c.keep(key, v, mine.started)
	}
	if c.calls[key] == mine {
		delete(c.calls, key)
	}
	c.running--
	c.mu.Unlock()
	mine.finish(v, err)
}

// keep stores a verdict. Its time counts from the start of the look-up, since the provider may have decided right
// then; a look-up that took longer than the ttl is not kept at all.
func (c *cache) keep(key cacheKey, v verdict, started time.Time) {
	on, ttl := &c.accepted, c.ttl
	if v.refused != nil {
		on, ttl = &c.refused, min(c.ttl/2, maxRefusedTTL)
	} else if left := v.expires - started.Unix(); left < int64(ttl/time.Second)+1 {
		ttl = min(ttl, time.Unix(v.expires, 0).Sub(started))
	}
	now, until := c.now(), started.Add(ttl)
	if !now.Before(until) {
		return
	}
	c.accepted.remove(key)
	c.refused.remove(key)
	on.put(key, v, until, now)
}

// shelf holds entries in the order they came, the oldest first out. Lives are about equally long, so the oldest is
// also about the first to end.
type shelf struct {
	maxEntries, maxBytes, bytes int

	byKey map[cacheKey]*list.Element
	order *list.List // of *entry
}

type entry struct {
	key     cacheKey
	verdict verdict
	until   time.Time
	bytes   int
}

func newShelf(maxEntries, maxBytes int) shelf {
	return shelf{maxEntries: maxEntries, maxBytes: maxBytes, byKey: make(map[cacheKey]*list.Element), order: list.New()}
}

func (s *shelf) get(key cacheKey, now time.Time) *verdict {
	element, ok := s.byKey[key]
	if !ok {
		return nil
	}
	e := element.Value.(*entry)
	if !now.Before(e.until) {
		return nil
	}
	return &e.verdict
}

// put adds an entry under a key that is not there, then drops from the old end what has ended or does not fit: each
// entry once, so the cost is constant over time.
func (s *shelf) put(key cacheKey, v verdict, until, now time.Time) {
	e := &entry{key: key, verdict: v, until: until, bytes: v.weight()}
	s.byKey[key] = s.order.PushBack(e)
	s.bytes += e.bytes
	for front := s.order.Front(); front != nil; front = s.order.Front() {
		oldest := front.Value.(*entry)
		if now.Before(oldest.until) && s.order.Len() <= s.maxEntries && s.bytes <= s.maxBytes {
			return
		}
		s.remove(oldest.key)
	}
}

func (s *shelf) remove(key cacheKey) {
	element, ok := s.byKey[key]
	if !ok {
		return
	}
	delete(s.byKey, key)
	s.bytes -= s.order.Remove(element).(*entry).bytes
}
