package limit

import (
	"math"
	"sync"
	"time"
)

// Rate is how often something may happen. The zero value means no limit.
type Rate struct {
	// PerSecond is how often in the long run. 0 = no limit.
	PerSecond float64
	// Burst is how often at once, after a pause. 0 = twice PerSecond, rounded up.
	Burst int
}

// RateLimiter bounds how often each of many keys may do something. Its methods may be called concurrently; a nil *RateLimiter
// has no limit.
//
// It is the generic cell rate algorithm, in its form as a virtual schedule (ITU-T I.371, annex A): for each key one time
// is kept, its theoretical arrival time, at which a whole burst is allowed again. A key whose time has passed is forgotten, which
// changes nothing.
type RateLimiter[K comparable] struct {
	interval time.Duration // between two events in the long run
	burst    time.Duration // how far ahead of its schedule a key may be
	now      func() time.Time
	origin   time.Time

	mu       sync.Mutex
	arrivals *RecentMap[K, time.Duration] // since origin
	rotated  time.Duration
}

// NewRateLimiter returns a limiter for the keys that were seen last, at least capacity of them; a key that was pushed out by
// so many others starts afresh. It returns nil, which has no limit, when rate has none. now is the clock, nil = time.Now.
func NewRateLimiter[K comparable](rate Rate, capacity int, now func() time.Time) *RateLimiter[K] {
	if rate.PerSecond <= 0 {
		return nil
	}
	if rate.Burst <= 0 {
		rate.Burst = int(math.Ceil(2 * rate.PerSecond))
	}
	if now == nil {
		now = time.Now
	}
	interval := time.Duration(float64(time.Second) / rate.PerSecond)
	return &RateLimiter[K]{
		interval: max(interval, 1),
		burst:    max(interval, 1) * time.Duration(rate.Burst),
		now:      now,
		origin:   now(),
		arrivals: NewRecentMap[K, time.Duration](capacity),
	}
}

// Allow reports whether key may act now, and counts it if so. Otherwise wait is how long until it may.
func (r *RateLimiter[K]) Allow(key K) (wait time.Duration, ok bool) {
	if r == nil {
		return 0, true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now().Sub(r.origin)
	if now-r.rotated >= max(r.burst, time.Second) { // by now every key from before the last rotation may burst again
		r.arrivals.Rotate()
		r.rotated = now
	}
	arrival, _ := r.arrivals.Get(key)
	next := max(arrival, now) + r.interval
	if wait := next - now - r.burst; wait > 0 {
		return wait, false
	}
	r.arrivals.Set(key, next)
	return 0, true
}
