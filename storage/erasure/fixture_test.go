package erasure

import (
	"context"
	"fmt"
	"testing"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/storagetest/memory"
)

var by = storage.Origin{Caller: "test", RequestID: "request-1"}

func userOf(n int) storage.UserKey {
	return storage.UserKey{Issuer: "https://issuer.test", ID: fmt.Sprintf("user-%04d", n)}
}

// storeOf returns a store with users of acme, each second with a picture, and one user of globex.
func storeOf(t *testing.T, users int) storage.Engine {
	t.Helper()
	s, err := memory.New("").Open(t.Context(), "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for n := range users {
		put(t, s, userOf(n), "acme", n%2 == 0)
	}
	put(t, s, storage.UserKey{Issuer: "https://issuer.test", ID: "zoe"}, "globex", true) // behind them in the list, whose pages hold users of acme alone
	return s
}

func put(t *testing.T, s storage.Store, user storage.UserKey, org string, picture bool) {
	t.Helper()
	_, _, err := s.AddUser(t.Context(), user, org, by)
	if err == nil && picture {
		_, err = s.Put(t.Context(), storage.Upload{User: user, Organization: org, By: by, Picture: storage.Picture{Format: storage.PNG, Data: []byte("picture")}})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// wantLeft demands that so many users of acme are registered, and the one of globex.
func wantLeft(t *testing.T, s storage.Store, users int) {
	t.Helper()
	left, other := 0, 0
	for q := (storage.UserQuery{}); ; {
		page, err := s.ListUsers(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page.Users {
			if u.Details.Organization == "acme" {
				left++
			} else if u.Generation != "" {
				other++
			}
		}
		if q.After = page.Next; q.After == (storage.UserKey{}) {
			break
		}
	}
	if left != users || other != 1 {
		t.Errorf("%d users of acme and %d pictures of others are left, want %d and 1", left, other, users)
	}
}

func wantState(t *testing.T, s storage.Store, want storage.RegistrationState) {
	t.Helper()
	if got, err := s.OrganizationState(t.Context(), "acme"); got != want || err != nil {
		t.Errorf("OrganizationState = %v, %v, want %v", got, err, want)
	}
}

// around is a store whose erasures of users go through a function.
type around struct {
	storage.Store
	erase func(ctx context.Context, rm storage.Removal, erase func() (storage.Result, error)) (storage.Result, error)
}

func (a around) EraseUser(ctx context.Context, rm storage.Removal) (storage.Result, error) {
	return a.erase(ctx, rm, func() (storage.Result, error) { return a.Store.EraseUser(ctx, rm) })
}
