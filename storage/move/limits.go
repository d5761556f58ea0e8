package move

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.org/avatard/storage"
)

// Changes of the users who are copied, and in the cut-over those of everybody, wait while a step of the target is under way. So a target that takes
// a connection and never answers fails the step, which lets changes in, and the move is tried again.
const (
	stepLimit   = 30 * time.Second // of one page, or of the records of one note
	finishLimit = 5 * time.Minute  // until the target is opened; meanwhile every call is answered at once, with a 503
)

// limits are how long a move waits for what may never come.
type limits struct {
	within func(context.Context, time.Duration) (context.Context, context.CancelFunc)
	again  func() <-chan time.Time // when a move that failed is tried again
}

func usualLimits() limits {
	return limits{context.WithTimeout, func() <-chan time.Time { return time.After(retryEvery) }}
}

// retryEvery is how long a move that failed waits while calls are answered.
const retryEvery = 5 * time.Second

// do runs a step within a limit.
func (l limits) do(ctx context.Context, limit time.Duration, step func(context.Context) error) error {
	limited, cancel := l.within(ctx, limit)
	defer cancel()
	err := step(limited)
	if err != nil && ctx.Err() == nil && errors.Is(limited.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: the target did not answer within %s: %w", storage.ErrUnavailable, limit, err)
	}
	return err
}

// limited is an arrival whose steps have a limit.
type limited struct {
	storage.Arrival
	limits limits
}

func (a limited) Take(ctx context.Context, users []storage.ArrivingUser, compare bool) (changed int, err error) {
	err = a.limits.do(ctx, stepLimit, func(ctx context.Context) error {
		changed, err = a.Arrival.Take(ctx, users, compare)
		return err
	})
	return changed, err
}

func (a limited) Follow(ctx context.Context, user storage.UserKey, details *storage.Details, removed bool) error {
	return a.limits.do(ctx, stepLimit, func(ctx context.Context) error { return a.Arrival.Follow(ctx, user, details, removed) })
}

func (a limited) Note(ctx context.Context, records []storage.Record) error {
	return a.limits.do(ctx, stepLimit, func(ctx context.Context) error { return a.Arrival.Note(ctx, records) })
}
