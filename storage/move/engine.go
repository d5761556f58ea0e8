package move

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"example.org/avatard/storage"
)

// Engine serves a store that is being moved.
type Engine struct {
	o         Options
	oo        storage.OpenOptions
	limits    limits
	log       *slog.Logger
	source    storage.Engine
	arrival   storage.Arrival // nil when it is finished
	departure storage.Departure
	sum       Summary
	since     storage.ExportPosition // where the last pass has ended
	trail     storage.TrailPosition  // and how far it has brought the audit trail

	// calls is held for reading by every call, for writing while the target takes the source's place.
	calls   sync.RWMutex
	serving storage.Engine // nil while neither can be
	moved   bool

	// changes is held for reading by every change that is made on both sides, for writing when there must be none.
	changes sync.RWMutex
	lines   [256]line // of users, by a hash
	seed    maphash.Seed
	mu      sync.Mutex
	dirty   map[storage.UserKey]bool // changed on the source, and perhaps not on the target

	stop    context.CancelFunc
	running sync.WaitGroup
}

var _ storage.Engine = (*Engine)(nil)

// enter returns the engine that serves. Unless it fails, calls.RUnlock must be called.
func (e *Engine) enter() (storage.Engine, error) {
	e.calls.RLock()
	if e.serving == nil {
		e.calls.RUnlock()
		return nil, errMoving
	}
	return e.serving, nil
}

// enterMoved is enter for what is refused during the move.
func (e *Engine) enterMoved() (storage.Engine, error) {
	s, err := e.enter()
	if err == nil && !e.moved {
		e.calls.RUnlock()
		return nil, errMoving
	}
	return s, err
}

// line is what changes of a user, and the copying of that user, hold.
type line chan struct{}

// enter waits until nobody else holds it, or until ctx ends.
func (l line) enter(ctx context.Context) error {
	select {
	case l <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l line) leave() { <-l }

// line returns which one is the user's.
func (e *Engine) line(user storage.UserKey) int {
	return int(maphash.Comparable(e.seed, user) % uint64(len(e.lines)))
}

// Remove implements [storage.Store].
func (e *Engine) Remove(ctx context.Context, rm storage.Removal) (storage.Result, error) {
	return e.both(ctx, rm, false, storage.Store.Remove)
}

// EraseUser implements [storage.Store].
func (e *Engine) EraseUser(ctx context.Context, rm storage.Removal) (storage.Result, error) {
	return e.both(ctx, rm, true, storage.Store.EraseUser)
}

// outcome is what became of a change.
type outcome struct {
	res storage.Result
	err error
}

// both makes a removal on the source and then on the target. It goes on without its caller: what the source has done, the target
// has to be told.
func (e *Engine) both(ctx context.Context, rm storage.Removal, ends bool,
	remove func(storage.Store, context.Context, storage.Removal) (storage.Result, error)) (storage.Result, error) {
	s, err := e.enter()
	if err != nil {
		return storage.Result{}, err
	}
	if e.moved {
		defer e.calls.RUnlock()
		return remove(s, ctx, rm)
	}
	if !e.changes.TryRLock() { // the last records are on their way
		e.calls.RUnlock()
		return storage.Result{}, errMoving
	}
	if err := ctx.Err(); err != nil {
		e.changes.RUnlock()
		e.calls.RUnlock()
		return storage.Result{}, err
	}
	done := make(chan outcome, 1)
	go func() {
		defer e.calls.RUnlock()
		defer e.changes.RUnlock()
		res, err := e.inLine(ctx, s, rm, ends, remove)
		done <- outcome{res, err}
	}()
	select {
	case o := <-done:
		return o.res, o.err
	case <-ctx.Done():
		return storage.Result{}, ctx.Err()
	}
}

// removalLimit is how long a removal may take on both sides.
const removalLimit = 30 * time.Second

// inLine makes a removal on both sides when it is the user's turn. Until then nothing has begun, and the caller may leave.
func (e *Engine) inLine(ctx context.Context, s storage.Store, rm storage.Removal, ends bool,
	remove func(storage.Store, context.Context, storage.Removal) (storage.Result, error)) (storage.Result, error) {
	line := e.lines[e.line(rm.User)]
	if err := line.enter(ctx); err != nil {
		return storage.Result{}, err
	}
	defer line.leave()
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), removalLimit)
	defer cancel()
	before := e.note(rm.User, true)
	res, err := e.onBoth(limited, s, rm, ends, remove)
	switch {
	case err == nil:
		e.note(rm.User, false)
	case refused(err):
		e.note(rm.User, before) // one before this may have been done on one side alone
	}
	return res, err
}

func (e *Engine) onBoth(ctx context.Context, s storage.Store, rm storage.Removal, ends bool,
	remove func(storage.Store, context.Context, storage.Removal) (storage.Result, error)) (storage.Result, error) {
	res, err := remove(s, ctx, rm)
	switch {
	case errors.Is(err, storage.ErrUserNotFound): // perhaps because of an end that the target was not told of
		if ferr := e.arrival.Follow(ctx, rm.User, nil, false); ferr != nil {
			return res, errors.Join(errMoving, ferr)
		}
		return res, err
	case err != nil:
		return res, err
	}
	if err := e.arrival.Follow(ctx, rm.User, &res.Details, ends); err != nil {
		e.log.Warn("a removal was done on the source and not on the target; it is not acknowledged", "error", err)
		return storage.Result{}, errors.Join(errMoving, err)
	}
	return res, nil
}

// refused reports whether an error says that nothing was changed.
func refused(err error) bool {
	for _, known := range []error{storage.ErrUserNotFound, storage.ErrOtherOrganization, storage.ErrConditionFailed, storage.ErrInvalid} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// note puts a user on the list of those who may differ, or takes them off it, and returns whether they were on it.
func (e *Engine) note(user storage.UserKey, may bool) (before bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	before = e.dirty[user]
	if may {
		e.dirty[user] = true
	} else {
		delete(e.dirty, user)
	}
	return before
}

// Close implements [storage.Store]. A move that is not finished goes on when both places are opened again.
func (e *Engine) Close() error {
	if e.stop != nil {
		e.stop()
	}
	e.running.Wait()
	e.calls.Lock()
	defer e.calls.Unlock()
	var errs []error
	if e.arrival != nil {
		errs = append(errs, e.arrival.Close())
		e.arrival = nil
	}
	if e.moved && e.serving != nil {
		errs = append(errs, e.serving.Close())
	}
	e.serving = nil
	if e.source != nil {
		errs = append(errs, e.source.Close())
		e.source = nil
	}
	return errors.Join(errs...)
}
