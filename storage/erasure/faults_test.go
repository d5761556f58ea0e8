package erasure

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"example.org/avatard/storage"
	"example.org/avatard/storage/faulty"
)

// Whatever goes wrong once with one user, in whatever way, does not keep the organisation from its end.
func TestOneFault(t *testing.T) {
	for _, kind := range faulty.Kinds() {
		t.Run(kind.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // a call that hangs has a limit
				s := storeOf(t, 9)
				failing := faulty.New(s)
				failing.Set(faulty.Fault{Kind: kind, Methods: []faulty.Method{faulty.EraseUser}, Call: 3})
				sum, err := Organization(t.Context(), failing, "acme", by, nil)
				if err != nil || sum.Users < 8 || !sum.Ended || failing.Hits() != 1 {
					t.Errorf("Organization = %+v, %v", sum, err)
				}
				wantLeft(t, s, 0)
				wantState(t, s, storage.Ended)
			})
		})
	}
}

// A user who cannot be erased is tried twice and then reported, when all others are gone. The organisation stays ending, and another call ends it.
func TestOneUserFails(t *testing.T) {
	s := storeOf(t, 9)
	cause := errors.New("a slot that cannot be overwritten")
	tried, last := 0, storage.UserKey{}
	var mu sync.Mutex
	failing := around{s, func(_ context.Context, rm storage.Removal, erase func() (storage.Result, error)) (storage.Result, error) {
		mu.Lock()
		defer mu.Unlock()
		if last = rm.User; rm.User == userOf(4) {
			tried++
			return storage.Result{}, cause
		}
		return erase()
	}}
	sum, err := Organization(t.Context(), failing, "acme", by, nil)
	if !errors.Is(err, ErrUnfinished) || !errors.Is(err, cause) || sum.Users != 8 || sum.Ended {
		t.Errorf("Organization = %+v, %v, want %v because of %v", sum, err, ErrUnfinished, cause)
	}
	if len(sum.Failed) != 1 || sum.Failed[0].User != userOf(4) || !errors.Is(sum.Failed[0].Err, cause) || tried != 2 || last != userOf(4) {
		t.Errorf("%+v failed, in %d tries, want %v in 2, the last of all", sum.Failed, tried, userOf(4))
	}
	wantLeft(t, s, 1)
	wantState(t, s, storage.Ending)
	if sum, err := Organization(t.Context(), s, "acme", by, nil); err != nil || sum.Users != 1 || !sum.Ended {
		t.Errorf("Organization again = %+v, %v", sum, err)
	}
}

// A store that erases nobody any more is not asked for everybody.
func TestAllUsersFail(t *testing.T) {
	const users = 3 * maxFailed
	s := storeOf(t, users)
	failing := faulty.Always(s, faulty.Fault{Methods: []faulty.Method{faulty.EraseUser}})
	sum, err := Organization(t.Context(), failing, "acme", by, nil)
	if !errors.Is(err, ErrUnfinished) || !errors.Is(err, storage.ErrUnavailable) || sum.Users != 0 {
		t.Errorf("Organization = %+v, %v", sum, err)
	}
	if n := len(sum.Failed); n <= maxFailed || n > maxFailed+workers+1 || failing.Hits() != n {
		t.Errorf("%d users failed in %d calls", n, failing.Hits())
	}
	wantLeft(t, s, users)
}

// A store that does not do the other steps fails the call, which goes on when it is made again.
func TestOtherSteps(t *testing.T) {
	for _, tt := range []struct {
		method faulty.Method
		call   int
		left   int // users of acme
		state  storage.RegistrationState
	}{
		{faulty.EndOrganization, 1, 250, storage.Registered},
		{faulty.OrganizationState, 1, 250, storage.Ending},
		{faulty.ListUsers, 1, 250, storage.Ending},
		{faulty.ListUsers, 2, 50, storage.Ending},
		{faulty.ListUsers, 3, 0, storage.Ending},
		{faulty.RemoveOrganization, 1, 0, storage.Ending},
	} {
		s := storeOf(t, 250)
		failing := faulty.New(s)
		failing.Set(faulty.Fault{Methods: []faulty.Method{tt.method}, Call: tt.call})
		sum, err := Organization(t.Context(), failing, "acme", by, nil)
		if !errors.Is(err, storage.ErrUnavailable) || sum.Users != int64(250-tt.left) || sum.Ended {
			t.Errorf("%s %d: Organization = %+v, %v", tt.method, tt.call, sum, err)
		}
		wantLeft(t, s, tt.left)
		wantState(t, s, tt.state)
		if sum, err := Organization(t.Context(), failing, "acme", by, nil); err != nil || sum.Users != int64(tt.left) || !sum.Ended {
			t.Errorf("%s %d: Organization again = %+v, %v", tt.method, tt.call, sum, err)
		}
	}
}

// A user who is given to another issuer while the list is read is found under the new one.
func TestIssuerMoved(t *testing.T) {
	s := storeOf(t, 12)
	moving := faulty.New(s)
	moving.Set(faulty.Fault{Kind: faulty.Slow, Methods: []faulty.Method{faulty.EraseUser}, Wait: func(ctx context.Context) {
		if moved, err := s.MoveIssuer(ctx, "https://issuer.test", "https://a.test", by); !moved || err != nil {
			t.Errorf("MoveIssuer = %v, %v", moved, err)
		}
	}})
	sum, err := Organization(t.Context(), moving, "acme", by, nil)
	if err != nil || sum.Users != 12 || !sum.Ended {
		t.Errorf("Organization = %+v, %v", sum, err)
	}
	wantLeft(t, s, 0)
}

// As many users as there are workers are erased at once, and no more.
func TestWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which ends the test if they wait for each other in vain
		s := storeOf(t, 40)
		var mu sync.Mutex
		most, now := 0, 0
		full := make(chan struct{})
		counting := around{s, func(_ context.Context, _ storage.Removal, erase func() (storage.Result, error)) (storage.Result, error) {
			mu.Lock()
			now++
			if most = max(most, now); now == workers {
				select {
				case <-full:
				default:
					close(full)
				}
			}
			mu.Unlock()
			<-full
			defer func() {
				mu.Lock()
				defer mu.Unlock()
				now--
			}()
			return erase()
		}}
		if sum, err := Organization(t.Context(), counting, "acme", by, nil); err != nil || sum.Users != 40 || most != workers {
			t.Errorf("Organization = %+v, %v, with %d at once, want %d", sum, err, most, workers)
		}
	})
}
