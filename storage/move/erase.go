package move

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"example.org/avatard/storage"
)

// erasers is how many removals are under way at once; engines commit what comes together in one go.
const erasers = 64

// What a killed process has left to erase, or an upload of it that is to be given up, is done by the source's engine within a few seconds.
const (
	undoneEvery = 200 * time.Millisecond
	undoneLimit = time.Minute
)

// departErased puts on record that no picture is left. It waits while the source has something left to erase.
func departErased(ctx context.Context, from storage.Movable, done storage.Departure) error {
	for began := time.Now(); ; {
		err := from.Depart(ctx, done)
		if !errors.Is(err, storage.ErrUnavailable) || time.Since(began) > undoneLimit {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(undoneEvery):
		}
	}
}

func (e *Engine) eraseSource(ctx context.Context) error {
	erased, err := erase(ctx, e.o, e.source, &e.departure)
	e.sum.Erased += erased
	return err
}

// erase erases every picture of a store that is gone to another place, each as when its user asks for it, and puts on record that no
// picture is left.
func erase(ctx context.Context, o Options, source storage.Engine, d *storage.Departure) (erased int64, err error) {
	if d.Erased {
		return 0, nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var count atomic.Int64
	var running sync.WaitGroup
	room := make(chan struct{}, erasers)
	for q := (storage.UserQuery{}); ctx.Err() == nil; {
		page, err := source.ListUsers(ctx, q)
		if err != nil {
			cancel(err)
			break
		}
		for _, u := range page.Users {
			if u.Generation == "" {
				continue
			}
			room <- struct{}{}
			running.Go(func() {
				defer func() { <-room }()
				rm := storage.Removal{User: u.User, AnyOrganization: true, By: storage.Origin{Caller: "move"}}
				if _, err := source.Remove(ctx, rm); err != nil {
					cancel(fmt.Errorf("erasing the source: %w", err))
					return
				}
				o.progress("erased", count.Add(1), 0)
			})
		}
		if q.After = page.Next; q.After == (storage.UserKey{}) {
			break
		}
	}
	running.Wait()
	if err := context.Cause(ctx); err != nil {
		return count.Load(), err
	}
	if err := source.ErasuresDone(ctx); err != nil {
		return count.Load(), err
	}
	done := *d
	done.Erased = true
	if err := departErased(ctx, o.From, done); err != nil {
		return count.Load(), err
	}
	*d = done
	return count.Load(), nil
}
