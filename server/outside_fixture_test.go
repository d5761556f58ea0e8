package server

import (
	"context"

	"example.org/avatard/storage"
)

// outside is an engine that runs outside the bubble of a test with synctest, for engines with real connections: all their goroutines,
// timers and channels are there, and their calls are made there, one at a time. The bubble's clock stands still meanwhile, as whoever waits
// for a channel from outside is not idle. So no deadline passes however long a call takes; what a deadline does to one is for the
// faults to show, which are inside.
type outside struct {
	storage.Engine
	calls chan<- func()
	done  <-chan struct{}
}

// newOutside returns it, and what has to be called when nothing uses it any more. Both are called outside.
func newOutside(engine storage.Engine) (o outside, end func()) {
	calls, done, ended := make(chan func()), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for call := range calls {
			call()
			done <- struct{}{}
		}
	}()
	return outside{engine, calls, done}, func() { close(calls); <-ended }
}

// takeOut makes a call outside, where its context never ends: the caller's has a channel of the bubble.
func takeOut[T any](ctx context.Context, o outside, call func(context.Context) (T, error)) (res T, err error) {
	if err := ctx.Err(); err != nil {
		return res, err
	}
	o.calls <- func() { res, err = call(context.Background()) }
	<-o.done
	return res, err
}

// Those are the methods that the server and the tests of its faults call.

func (o outside) HasOrganization(ctx context.Context, org string) (bool, error) {
	return takeOut(ctx, o, func(ctx context.Context) (bool, error) { return o.Engine.HasOrganization(ctx, org) })
}

func (o outside) AddOrganization(ctx context.Context, org string, by storage.Origin) (bool, error) {
	return takeOut(ctx, o, func(ctx context.Context) (bool, error) { return o.Engine.AddOrganization(ctx, org, by) })
}

func (o outside) AddUser(ctx context.Context, user storage.UserKey, org string, by storage.Origin) (res storage.Result, created bool, err error) {
	res, err = takeOut(ctx, o, func(ctx context.Context) (res storage.Result, err error) {
		res, created, err = o.Engine.AddUser(ctx, user, org, by)
		return res, err
	})
	return res, created, err
}

func (o outside) Put(ctx context.Context, up storage.Upload) (storage.Result, error) {
	return takeOut(ctx, o, func(ctx context.Context) (storage.Result, error) { return o.Engine.Put(ctx, up) })
}

func (o outside) Remove(ctx context.Context, rm storage.Removal) (storage.Result, error) {
	return takeOut(ctx, o, func(ctx context.Context) (storage.Result, error) { return o.Engine.Remove(ctx, rm) })
}

func (o outside) Get(ctx context.Context, user storage.UserKey, org string) (storage.Picture, error) {
	return takeOut(ctx, o, func(ctx context.Context) (storage.Picture, error) { return o.Engine.Get(ctx, user, org) })
}

func (o outside) Stat(ctx context.Context, user storage.UserKey, org string) (storage.Info, error) {
	return takeOut(ctx, o, func(ctx context.Context) (storage.Info, error) { return o.Engine.Stat(ctx, user, org) })
}

func (o outside) Ready(ctx context.Context) error {
	_, err := takeOut(ctx, o, func(ctx context.Context) (bool, error) { return true, o.Engine.Ready(ctx) })
	return err
}

func (o outside) RecordRefusal(r storage.Refusal) {
	_, _ = takeOut(context.Background(), o, func(context.Context) (bool, error) { o.Engine.RecordRefusal(r); return true, nil })
}

func (o outside) ErasuresDone(ctx context.Context) error {
	_, err := takeOut(ctx, o, func(ctx context.Context) (bool, error) { return true, o.Engine.ErasuresDone(ctx) })
	return err
}

func (o outside) Close() error {
	_, err := takeOut(context.Background(), o, func(context.Context) (bool, error) { return true, o.Engine.Close() })
	return err
}
