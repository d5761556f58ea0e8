package faulty_test

import (
	"context"
	"errors"
	"os"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
	"example.org/avatard/storage/faulty"
	"example.org/avatard/storage/storagetest"
	"example.org/avatard/test/scratch"
)

func TestMain(m *testing.M) { os.Exit(scratch.InMemory(m.Run)) }

// Without a fault the wrapper is a store like any other.
func TestContract(t *testing.T) {
	storagetest.Run(t, storagetest.Harness{
		Open: func(ctx context.Context, state string, now func() time.Time) (storage.Store, error) {
			s, err := embedded.Open(ctx, embedded.Config{Dir: state, Now: now})
			if err != nil {
				return nil, err
			}
			return faulty.New(s), nil
		},
	})
}

const (
	org  = "69629023906488334"
	org2 = "69629023906488335"
)

var (
	by  = storage.Origin{Caller: "test"}
	ann = storage.UserKey{Issuer: "https://issuer.test", ID: "ann"} // has a picture
	ben = storage.UserKey{Issuer: "https://issuer.test", ID: "ben"} // unknown
)

// counting is a real store that counts the refusals it was given.
type counting struct {
	storage.Store
	refusals atomic.Int64
}

func (c *counting) RecordRefusal(r storage.Refusal) {
	c.refusals.Add(1)
	c.Store.RecordRefusal(r)
}

// Each kind of fault does what it says, in each method, once.
func TestEveryKindInEveryMethod(t *testing.T) {
	for _, c := range calls() {
		for _, kind := range faulty.Kinds() {
			t.Run(string(c.method)+" "+kind.String(), func(t *testing.T) {
				dir := t.TempDir()
				synctest.Test(t, func(t *testing.T) { checkFault(t, dir, c, kind) })
			})
		}
	}
	var tried []faulty.Method
	for _, c := range calls() {
		tried = append(tried, c.method)
	}
	methods := faulty.Methods()
	slices.Sort(tried)
	slices.Sort(methods)
	if !slices.Equal(tried, methods) {
		t.Errorf("the methods %q are tried, of %q", tried, methods)
	}
}

// Every method of the contract can go wrong.
func TestMethodsAreTheContracts(t *testing.T) {
	var want []faulty.Method
	for method := range reflect.TypeFor[storage.Store]().Methods() {
		want = append(want, faulty.Method(method.Name))
	}
	got := faulty.Methods()
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Methods (-those of storage.Store +got):\n%s", diff)
	}
}

// A store can fail in every call, with an error or a panic, before or after the call took effect.
func TestAlways(t *testing.T) {
	engine, err := embedded.Open(t.Context(), embedded.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	errOwn := errors.New("of the test's own")
	s := faulty.Always(engine, faulty.Fault{Err: errOwn})
	for range 3 {
		if err := s.Ready(t.Context()); !errors.Is(err, errOwn) {
			t.Errorf("Ready = %v, want %v", err, errOwn)
		}
	}
	s = faulty.Always(engine, faulty.Fault{Kind: faulty.FailAfter, Panic: "out of order"})
	func() {
		defer func() {
			if got := recover(); got != "out of order" {
				t.Errorf("AddOrganization panics with %v", got)
			}
		}()
		_, err := s.AddOrganization(t.Context(), org2, by)
		t.Errorf("AddOrganization = %v, want a panic", err)
	}()
	if has, err := engine.HasOrganization(t.Context(), org2); !has || err != nil {
		t.Errorf("HasOrganization = %v, %v, want true: it took effect", has, err)
	}
}

func checkFault(t *testing.T, dir string, c call, kind faulty.Kind) {
	engine, err := embedded.Open(t.Context(), embedded.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	inner := &counting{Store: engine}
	s := faulty.New(inner)
	if _, err := s.Put(t.Context(), storage.Upload{User: ann, Organization: org, By: by, Register: true,
		Picture: storage.Picture{Format: storage.PNG, Data: []byte("old")}}); err != nil {
		t.Fatal(err)
	}
	var waited atomic.Bool
	s.Set(faulty.Fault{Kind: kind, Methods: []faulty.Method{c.method}, Wait: func(ctx context.Context) {
		waited.Store(true)
		time.Sleep(time.Minute) // of the test's own clock
	}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	began := time.Now()
	hanging := kind == faulty.HangBefore || kind == faulty.HangAfter
	noContext := c.method == faulty.RecordRefusal || c.method == faulty.Close
	if hanging && noContext {
		time.AfterFunc(2*time.Hour, s.Clear)
	}
	err = c.make(ctx, s)
	took := time.Since(began)

	want, wantTook := error(nil), time.Duration(0)
	switch {
	case hanging && noContext:
		wantTook = 2 * time.Hour
	case hanging:
		want, wantTook = context.DeadlineExceeded, time.Hour
	case kind == faulty.Slow:
		wantTook = time.Minute
	case c.method == faulty.RecordRefusal: // has no error
	case kind == faulty.TimeOutAfter:
		want = context.DeadlineExceeded
	default:
		want = storage.ErrUnavailable
	}
	if !errors.Is(err, want) || took != wantTook {
		t.Errorf("%v after %v, want %v after %v", err, took, want, wantTook)
	}
	if waited.Load() != (kind == faulty.Slow) {
		t.Errorf("waited: %v", waited.Load())
	}
	takesEffect := kind.TakesEffect() || hanging && noContext
	if c.done != nil && c.done(t.Context(), inner) != takesEffect {
		t.Errorf("took effect: %v, want %v", !takesEffect, takesEffect)
	}
	if hits := s.Hits(); hits != 1 && !(hanging && noContext) {
		t.Errorf("%d calls went wrong, want 1", hits)
	}
	if err := c.make(t.Context(), s); err != nil {
		t.Errorf("the call after it = %v, want nil", err)
	}
}

// Calls are counted among the chosen methods only, and as many go wrong as were asked for.
func TestWhichCalls(t *testing.T) {
	errOwn := errors.New("of the test's own")
	for _, tt := range []struct {
		fault faulty.Fault
		want  string // of six calls, Ready and HasOrganization in turn: which went wrong
	}{
		{faulty.Fault{}, "x....."},
		{faulty.Fault{Call: 4}, "...x.."},
		{faulty.Fault{Call: 2, Times: 3}, ".xxx.."},
		{faulty.Fault{Call: 3, Times: -1}, "..xxxx"},
		{faulty.Fault{Call: 7}, "......"},
		{faulty.Fault{Methods: []faulty.Method{faulty.HasOrganization}}, ".x...."},
		{faulty.Fault{Methods: []faulty.Method{faulty.Ready}, Call: 2, Times: -1}, "..x.x."},
		{faulty.Fault{Methods: []faulty.Method{faulty.Remove}}, "......"},
	} {
		engine, err := embedded.Open(t.Context(), embedded.Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		s := faulty.New(engine)
		tt.fault.Err = errOwn
		s.Set(tt.fault)
		got := ""
		for i := range 6 {
			var err error
			if i%2 == 0 {
				err = s.Ready(t.Context())
			} else {
				_, err = s.HasOrganization(t.Context(), org)
			}
			switch {
			case err == nil:
				got += "."
			case errors.Is(err, errOwn):
				got += "x"
			default:
				t.Errorf("%+v: %v, want the fault's own error", tt.fault, err)
			}
		}
		if got != tt.want {
			t.Errorf("%+v: calls %s, want %s", tt.fault, got, tt.want)
		}
		s.Clear()
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	}
}
