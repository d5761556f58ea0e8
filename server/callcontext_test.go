package server

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// The context of a call says the same as one with a timer would, whether or not something waits for it, and goes on saying it.
func TestCallContextEndsAsOneWithATimer(t *testing.T) {
	for title, row := range map[string]struct {
		happens func(c *call, leave context.CancelFunc)
		want    error
	}{
		"nothing":                        {func(*call, context.CancelFunc) {}, nil},
		"a moment before the deadline":   {func(*call, context.CancelFunc) { time.Sleep(MaxCallDuration - 1) }, nil},
		"the deadline":                   {func(*call, context.CancelFunc) { time.Sleep(MaxCallDuration) }, context.DeadlineExceeded},
		"the caller leaves":              {func(_ *call, leave context.CancelFunc) { leave() }, context.Canceled},
		"the answer":                     {func(c *call, _ context.CancelFunc) { c.context.end() }, context.Canceled},
		"the deadline, then the caller":  {func(_ *call, leave context.CancelFunc) { time.Sleep(MaxCallDuration + 1); leave() }, context.DeadlineExceeded},
		"the caller, seen, the deadline": {func(c *call, leave context.CancelFunc) { leave(); _ = c.context.Err(); time.Sleep(MaxCallDuration) }, context.Canceled},
		"the deadline, seen, the answer": {func(c *call, _ context.CancelFunc) {
			time.Sleep(MaxCallDuration + 1)
			_ = c.context.Err()
			c.context.end()
		}, context.DeadlineExceeded},
		"the request's deadline is sooner": {func(*call, context.CancelFunc) { time.Sleep(time.Second) }, context.DeadlineExceeded},
	} {
		for _, waited := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				parent, leave := context.WithCancel(t.Context())
				if title == "the request's deadline is sooner" {
					parent, leave = context.WithTimeout(t.Context(), time.Second)
				}
				defer leave()
				c := &call{form: formREST}
				c.begin(parent, http.Header{})
				defer c.context.end()
				if waited {
					_ = c.context.Done()
				}
				row.happens(c, leave)
				synctest.Wait()
				child, cancel := context.WithCancel(&c.context)
				defer cancel()
				for range 2 {
					if err := c.context.Err(); !errors.Is(err, row.want) {
						t.Errorf("%s, waited %v: %v, want %v", title, waited, err, row.want)
					}
				}
				select {
				case <-c.context.Done():
					if row.want == nil {
						t.Errorf("%s, waited %v: Done is closed", title, waited)
					}
				default:
					if row.want != nil {
						t.Errorf("%s, waited %v: Done is not closed", title, waited)
					}
				}
				if err := child.Err(); !errors.Is(err, row.want) {
					t.Errorf("%s, waited %v: a context made from it says %v, want %v", title, waited, err, row.want)
				}
			})
		}
	}
}

// What waits for a call is woken at its deadline, and what is made from its context finds the call.
func TestCallContextWakesWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &call{form: formREST}
		c.begin(t.Context(), http.Header{"Grpc-Timeout": {"2S"}})
		defer c.context.end()
		child, cancel := context.WithCancel(&c.context)
		defer cancel()
		began := time.Now()
		<-child.Done()
		if took := time.Since(began); took != 2*time.Second || callOf(child) != c || context.Cause(child) != context.DeadlineExceeded { //nolint:errorlint // the very error
			t.Errorf("woken after %v by %v, call %v", took, context.Cause(child), callOf(child) == c)
		}
	})
}
