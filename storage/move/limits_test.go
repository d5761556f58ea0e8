package move

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"example.org/avatard/storage"
)

// silent wraps a receiver. The step of an arrival for which hangs returns true has no answer until its context ends; without a deadline
// it fails the test.
type silent struct {
	storage.Receiver
	t     *testing.T
	hangs func(step string, users []storage.ArrivingUser) bool
}

type silentArrival struct {
	storage.Arrival
	s silent
}

func (s silent) Arrive(ctx context.Context, id [16]byte) (storage.Arrival, error) {
	a, err := s.Receiver.Arrive(ctx, id)
	return silentArrival{a, s}, err
}

var errUnlimited = errors.New("the step has no limit")

func (a silentArrival) hang(ctx context.Context, step string, users []storage.ArrivingUser) error {
	if !a.s.hangs(step, users) {
		return nil
	}
	if _, ok := ctx.Deadline(); !ok {
		a.s.t.Errorf("%s: %v", step, errUnlimited)
		return errUnlimited
	}
	<-ctx.Done()
	return ctx.Err()
}

func (a silentArrival) Take(ctx context.Context, users []storage.ArrivingUser, compare bool) (int, error) {
	if err := a.hang(ctx, "take", users); err != nil {
		return 0, err
	}
	return a.Arrival.Take(ctx, users, compare)
}

func (a silentArrival) Note(ctx context.Context, records []storage.Record) error {
	if err := a.hang(ctx, "note", nil); err != nil {
		return err
	}
	return a.Arrival.Note(ctx, records)
}

func (a silentArrival) Follow(ctx context.Context, user storage.UserKey, details *storage.Details, removed bool) error {
	if err := a.hang(ctx, "follow", nil); err != nil {
		return err
	}
	return a.Arrival.Follow(ctx, user, details, removed)
}

func (a silentArrival) Finish(ctx context.Context) error {
	if err := a.hang(ctx, "finish", nil); err != nil {
		return err
	}
	return a.Arrival.Finish(ctx)
}

// Whatever step of the target is never answered, the move fails after a while, and the next one goes on.
func TestTargetThatNeverAnswers(t *testing.T) {
	from := dirOf(t)
	to, _ := clusterOf(t, false)
	want := fillStore(t, from, 20)
	var steps []string
	for at := 1; ; at++ {
		n, hung := 0, false
		s := silent{to, t, func(step string, _ []storage.ArrivingUser) bool {
			if n++; n == at {
				steps, hung = append(steps, step), true
			}
			return n == at
		}}
		short := limits{within: func(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
			if n == at-1 { // the next step hangs, or is within one that does
				limit = time.Millisecond
			}
			return context.WithTimeout(ctx, limit)
		}}
		_, err := Run(t.Context(), Options{From: from, To: s, limits: &short})
		if err == nil && !hung {
			break
		}
		if !errors.Is(err, storage.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("a move whose step %d, %v, is never answered = %v, want %v", at, steps, err, storage.ErrUnavailable)
		}
	}
	for _, step := range []string{"take", "note", "finish"} {
		if !slices.Contains(steps, step) {
			t.Errorf("%s never hung: %v", step, steps)
		}
	}
	wantErased(t, from, want.pictures)
	wantMoved(t, to, want)
}

// While a page of users is brought to a target that never answers, their removals wait; then the page is given up, they are made, and the
// move is tried again.
func TestRemovalsBesideATargetThatNeverAnswers(t *testing.T) {
	from := dirOf(t)
	to, bucket := clusterOf(t, false)
	want := fillStore(t, from, 20)
	var engine *Engine
	var hung atomic.Bool
	var end atomic.Value // of the last limit
	ready, removed, again := make(chan struct{}), make(chan error, 1), make(chan time.Time)
	s := silent{to, t, func(step string, users []storage.ArrivingUser) bool {
		if <-ready; step != "take" || hung.Swap(true) {
			return false
		}
		over, ok := end.Load().(context.CancelFunc)
		if !ok {
			t.Error(errUnlimited)
			return false
		}
		go func() {
			_, err := engine.Remove(t.Context(), removalOf(1))
			removed <- err
		}()
		go over()
		return true
	}}
	l := limits{
		within: func(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithTimeout(ctx, limit)
			end.Store(cancel)
			return ctx, cancel
		},
		again: func() <-chan time.Time { return again },
	}
	done := make(chan Summary, 1)
	opened, err := Place(Options{From: from, To: s, limits: &l}, func(sum Summary) { done <- sum }).Open(t.Context(), storage.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	engine = opened.(*Engine)
	close(ready)
	if err := <-removed; err != nil {
		t.Errorf("Remove of somebody whose page was given up = %v", err)
	}
	again <- time.Time{}
	<-done
	if err := engine.Close(); err != nil {
		t.Error(err)
	}
	if got := objects(t, bucket); got != len(want.pictures)-1 {
		t.Errorf("%d objects, want %d", got, len(want.pictures)-1)
	}
}
