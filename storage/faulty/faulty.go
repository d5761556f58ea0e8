// Package faulty puts faults into a [storage.Store], for tests of what is above one. An [Engine] is for tests of commands: its
// checks and exports are functions of the test.
//
// A call can fail before or after it took effect, exceed a time limit of the engine's own, hang, or be slow. A fault chooses the methods
// and the number of the call. Without a fault the wrapper keeps the contract as the store does that it wraps. It never waits for a
// clock: a call that hangs waits for the end of its context, a slow one for a function of the test.
//
// Faults of files, below a store, are for each engine's own tests.
package faulty

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"example.org/avatard/storage"
)

// Method is a method of storage.Store.
type Method string

// The methods of storage.Store.
const (
	AddOrganization    Method = "AddOrganization"
	HasOrganization    Method = "HasOrganization"
	OrganizationState  Method = "OrganizationState"
	EndOrganization    Method = "EndOrganization"
	RemoveOrganization Method = "RemoveOrganization"
	AddUser            Method = "AddUser"
	MoveUser           Method = "MoveUser"
	MoveIssuer         Method = "MoveIssuer"
	EraseUser          Method = "EraseUser"
	Put                Method = "Put"
	Remove             Method = "Remove"
	Get                Method = "Get"
	Stat               Method = "Stat"
	ListUsers          Method = "ListUsers"
	ListOrganizations  Method = "ListOrganizations"
	ListReceipts       Method = "ListReceipts"
	Receipt            Method = "Receipt"
	ListAudit          Method = "ListAudit"
	ReceiptHead        Method = "ReceiptHead"
	ProveReceipt       Method = "ProveReceipt"
	ProveHistory       Method = "ProveHistory"
	VerifyReceipts     Method = "VerifyReceipts"
	RecordRefusal      Method = "RecordRefusal"
	Ready              Method = "Ready"
	Close              Method = "Close"
)

// Methods returns all of them.
func Methods() []Method {
	return []Method{AddOrganization, HasOrganization, OrganizationState, EndOrganization, RemoveOrganization, AddUser, MoveUser, MoveIssuer, EraseUser,
		Put, Remove, Get, Stat, ListUsers, ListOrganizations, ListReceipts, Receipt, ListAudit,
		ReceiptHead, ProveReceipt, ProveHistory, VerifyReceipts, RecordRefusal, Ready, Close}
}

// Kind is the way in which a call goes wrong.
type Kind int

// The kinds of faults. Where a kind makes the call of the store, and the store refuses it, the call returns that refusal.
const (
	// FailBefore returns an error and does not call the store.
	FailBefore Kind = iota
	// FailAfter lets the call take effect and returns an error.
	FailAfter
	// TimeOutAfter lets the call take effect and returns context.DeadlineExceeded at once, however much time its caller has
	// left, as an engine with a limit of its own does.
	TimeOutAfter
	// HangBefore does nothing until the context of the call ends, and returns its error. When the fault is cleared
	// meanwhile, the call goes on. Methods without a context hang until then.
	HangBefore
	// HangAfter lets the call take effect and hangs then.
	HangAfter
	// Slow waits, see Fault.Wait, and makes the call then.
	Slow
)

// Kinds returns all of them.
func Kinds() []Kind { return []Kind{FailBefore, FailAfter, TimeOutAfter, HangBefore, HangAfter, Slow} }

func (k Kind) String() string {
	return [...]string{"fails before", "fails after", "times out after", "hangs before", "hangs after", "is slow"}[k]
}

// TakesEffect reports whether a call that goes wrong this way takes effect.
func (k Kind) TakesEffect() bool { return k != FailBefore && k != HangBefore }

// Fault describes which calls go wrong, and how.
type Fault struct {
	Kind Kind
	// Methods are the methods whose calls are counted and go wrong. nil = all.
	Methods []Method
	// Call is the number of the first call that goes wrong, counted from 1 since Set. 0 = the first.
	Call int
	// Times is how many calls go wrong, one after the other. 0 = one, negative = all from the first on.
	Times int
	// Err is what FailBefore and FailAfter return. nil = an error that wraps storage.ErrUnavailable.
	Err error
	// Panic is what FailBefore and FailAfter panic with. nil = they return an error.
	Panic any
	// Wait is called by a slow call first. nil = nothing is.
	Wait func(context.Context)
}

// Store is a store with faults. Make it with New; its methods may be called concurrently.
type Store struct {
	inner storage.Store

	mu    sync.Mutex
	fault *Fault
	calls int
	hits  int
	gone  chan struct{} // closed when the fault is cleared
}

var _ storage.Store = (*Store)(nil)

// New returns a Store that has no fault yet.
func New(inner storage.Store) *Store { return &Store{inner: inner} }

// Always returns a Store in which every call of the fault's methods goes wrong; it ignores the fault's Call and Times.
func Always(inner storage.Store, f Fault) *Store {
	s := New(inner)
	f.Call, f.Times = 1, -1
	s.Set(f)
	return s
}

// Set replaces the fault, and counts calls and hits from the beginning.
func (s *Store) Set(f Fault) {
	s.Clear()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault, s.gone = &f, make(chan struct{})
}

// Clear removes the fault. Calls that hang go on.
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
