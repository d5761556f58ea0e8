// Package faulty puts faults into a [storage.Store], for tests of what is above one. An [Engine] is for tests of what keeps a store: its
// checks and exports go the way that a test gives them.
//
// A call can fail before or after it took effect, exceed a time limit of the engine's own, hang, or be slow: at its k-th
// call, of whichever methods are chosen. Without a fault the wrapper is the store that it wraps, and keeps the contract as
// that does. It never waits for a clock: what hangs waits for the end of its context, what is slow for whatever the test
// gives it to wait for.
//
// Faults of files, below a store, are the business of each engine's own tests.
package faulty

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"avatard/storage"
)

// Method is a method of storage.Store.
type Method string

// The methods of storage.Store.
const (
	AddOrganization    Method = "AddOrganization"
	HasOrganization    Method = "HasOrganization"
	RemoveUser         Method = "RemoveUser"
	RemoveOrganization Method = "RemoveOrganization"
	AddUser            Method = "AddUser"
	MoveUser           Method = "MoveUser"
	MoveIssuer         Method = "MoveIssuer"
	Put                Method = "Put"
	Remove             Method = "Remove"
	Get                Method = "Get"
	Stat               Method = "Stat"
	ListUsers          Method = "ListUsers"
	ListOrganizations  Method = "ListOrganizations"
	RecordRefusal      Method = "RecordRefusal"
	Ready              Method = "Ready"
	Close              Method = "Close"
)

// Methods returns all of them.
func Methods() []Method {
	return []Method{AddOrganization, HasOrganization, AddUser, MoveUser, MoveIssuer, Put, Remove, RemoveUser, RemoveOrganization, Get, Stat,
		ListUsers, ListOrganizations, RecordRefusal, Ready, Close}
}

// Kind is the way in which a call goes wrong.
type Kind int

// The kinds of faults. A call whose store refuses it by itself, in a kind that lets it through, returns that refusal.
const (
	// FailBefore returns an error, and the store never hears of the call.
	FailBefore Kind = iota
	// FailAfter lets the call take effect and returns an error.
	FailAfter
	// TimeOutAfter lets the call take effect and returns context.DeadlineExceeded at once, whatever time its caller has
	// left: the engine had a limit of its own.
	TimeOutAfter
	// HangBefore does nothing until the context of the call ends, and returns its error. When the fault is taken
	// away meanwhile, the call goes on. Methods without a context wait for that.
	HangBefore
	// HangAfter lets the call take effect and hangs then.
	HangAfter
	// Slow waits (see Fault.Wait) and lets the call go on then.
	Slow
)

// Kinds returns all of them.
func Kinds() []Kind { return []Kind{FailBefore, FailAfter, TimeOutAfter, HangBefore, HangAfter, Slow} }

func (k Kind) String() string {
	return [...]string{"fails before", "fails after", "times out after", "hangs before", "hangs after", "is slow"}[k]
}

// TakesEffect reports whether a call that goes wrong this way does what it is for.
func (k Kind) TakesEffect() bool { return k != FailBefore && k != HangBefore }

// Fault says which calls go wrong and how.
type Fault struct {
	Kind Kind
	// Methods are those that are counted and go wrong. nil = all.
	Methods []Method
	// Call is the number of the first call that goes wrong, counted from 1 since Set. 0 = the first.
	Call int
	// Times is how many calls go wrong, one after the other. 0 = one, negative = all from the first on.
	Times int
	// Err is what FailBefore and FailAfter return. nil = an error that wraps storage.ErrUnavailable.
	Err error
	// Panic is what FailBefore and FailAfter panic with. nil = they return an error.
	Panic any
	// Wait is what a slow call does first. nil = nothing.
	Wait func(context.Context)
}

// Store is a store with faults. Make it with New; its methods may be called concurrently.
type Store struct {
	inner storage.Store

	mu    sync.Mutex
	fault *Fault
	calls int
	hits  int
	gone  chan struct{} // closed when the fault is taken away
}

var _ storage.Store = (*Store)(nil)

// New returns a Store that has no fault yet.
func New(inner storage.Store) *Store { return &Store{inner: inner} }

// Always returns a Store in which every call of the fault's methods goes wrong; the fault's Call and Times count for nothing.
func Always(inner storage.Store, f Fault) *Store {
	s := New(inner)
	f.Call, f.Times = 1, -1
	s.Set(f)
	return s
}

// Set puts a fault in place of the one before it, and counts calls and hits from the beginning.
func (s *Store) Set(f Fault) {
	s.Clear()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault, s.gone = &f, make(chan struct{})
}

// Clear takes the fault away. Calls that hang go on.
func (s *Store) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil {
		close(s.gone)
	}
	s.fault, s.calls, s.hits = nil, 0, 0
}

// Hits returns how many calls went wrong since the fault was set.
func (s *Store) Hits() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hits
}

// next counts a call and returns the fault if it is to go wrong.
func (s *Store) next(m Method) (f *Fault, gone <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f = s.fault
	if f == nil || f.Methods != nil && !slices.Contains(f.Methods, m) {
		return nil, nil
	}
	s.calls++
	behind := s.calls - max(f.Call, 1)
	if behind < 0 || f.Times >= 0 && behind >= max(f.Times, 1) {
		return nil, nil
	}
	s.hits++
	return f, s.gone
}

// around makes a call, with its fault if it has one.
func around[T any](ctx context.Context, s *Store, m Method, call func() (T, error)) (T, error) {
	f, gone := s.next(m)
	if f == nil {
		return call()
	}
	var nothing T
	switch f.Kind {
	case FailBefore:
		return nothing, f.failure(m)
	case HangBefore:
		if err := hang(ctx, gone); err != nil {
			return nothing, fmt.Errorf("%s: %w", m, err)
		}
	case Slow:
		if f.Wait != nil {
			f.Wait(ctx)
		}
	}
	res, err := call()
	if err != nil {
		return res, err
	}
	switch f.Kind {
	case FailAfter:
		return nothing, f.failure(m)
	case TimeOutAfter:
		return nothing, fmt.Errorf("%s: %w", m, context.DeadlineExceeded)
	case HangAfter:
		if err := hang(ctx, gone); err != nil {
			return nothing, fmt.Errorf("%s: %w", m, err)
		}
	}
	return res, nil
}

func hang(ctx context.Context, gone <-chan struct{}) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-gone:
		return nil
	}
}

func (f *Fault) failure(m Method) error {
	if f.Panic != nil {
		panic(f.Panic)
	}
	if f.Err != nil {
		return fmt.Errorf("%s: %w", m, f.Err)
	}
	return fmt.Errorf("%s: %w: it %s", m, storage.ErrUnavailable, f.Kind)
}
