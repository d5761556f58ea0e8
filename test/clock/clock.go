// Package clock is a clock for tests that stands still until a test moves it.
package clock

import (
	"sync/atomic"
	"time"
)

// Clock is such a clock. Its methods may be called concurrently.
type Clock struct{ nanoseconds atomic.Int64 }

// At returns a clock that shows t.
func At(t time.Time) *Clock {
	c := new(Clock)
	c.nanoseconds.Store(t.UnixNano())
	return c
}

// Now returns what the clock shows.
func (c *Clock) Now() time.Time { return time.Unix(0, c.nanoseconds.Load()) }

// Advance moves the clock on.
func (c *Clock) Advance(d time.Duration) { c.nanoseconds.Add(int64(d)) }
