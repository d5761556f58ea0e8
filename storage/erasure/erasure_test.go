package erasure

import (
	"context"
	"errors"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/faulty"
)

// An organisation of several pages ends with everybody in it, and with nobody else; the end is durable for organisation and users.
func TestOrganization(t *testing.T) {
	const users = 2*storage.MaxPage + 50
	s := storeOf(t, users)
	var last Summary
	sum, err := Organization(t.Context(), s, "acme", by, func(sum Summary) {
		if sum.Users != last.Users+1 || sum.Pictures < last.Pictures {
			t.Errorf("progress %+v behind %+v", sum, last)
		}
		last = sum
	})
	if err != nil || sum.Users != users || sum.Pictures != users/2 || !sum.Ended || sum.Failed != nil || last.Users != users {
		t.Errorf("Organization = %+v, %v", sum, err)
	}
	wantLeft(t, s, 0)
	wantState(t, s, storage.Ended)
	if _, _, err := s.AddUser(t.Context(), userOf(1), "globex", by); !errors.Is(err, storage.ErrUserEnded) {
		t.Errorf("AddUser of somebody who has ended = %v, want %v", err, storage.ErrUserEnded)
	}
	if _, _, err := s.AddUser(t.Context(), userOf(users), "acme", by); !errors.Is(err, storage.ErrOrganizationEnded) {
		t.Errorf("AddUser in what has ended = %v, want %v", err, storage.ErrOrganizationEnded)
	}
	if sum, err := Organization(t.Context(), s, "acme", by, nil); err != nil || sum.Users != 0 || sum.Ended {
		t.Errorf("Organization again = %+v, %v", sum, err)
	}
	if _, err := Organization(t.Context(), s, "nobody's", by, nil); !errors.Is(err, storage.ErrOrganizationNotFound) {
		t.Errorf("Organization of none = %v, want %v", err, storage.ErrOrganizationNotFound)
	}
}

// Nobody comes in while the users are erased: neither by registration, nor by upload, nor from another organisation.
func TestNobodyComesIn(t *testing.T) {
	s := storeOf(t, 3)
	put(t, s, userOf(10), "globex", false)
	asked := 0
	slow := faulty.New(s)
	slow.Set(faulty.Fault{Kind: faulty.Slow, Methods: []faulty.Method{faulty.EraseUser}, Wait: func(ctx context.Context) {
		_, _, add := s.AddUser(ctx, userOf(20), "acme", by)
		_, upload := s.Put(ctx, storage.Upload{User: userOf(21), Organization: "acme", Register: true, By: by,
			Picture: storage.Picture{Format: storage.PNG, Data: []byte("picture")}})
		_, _, move := s.MoveUser(ctx, userOf(10), "acme", by)
		_, org := s.AddOrganization(ctx, "acme", by)
		for _, err := range []error{add, upload, move, org} {
			if asked++; !errors.Is(err, storage.ErrOrganizationEnded) {
				t.Errorf("a registration meanwhile = %v, want %v", err, storage.ErrOrganizationEnded)
			}
		}
	}})
	sum, err := Organization(t.Context(), slow, "acme", by, nil)
	if err != nil || sum.Users != 3 || asked != 4 {
		t.Errorf("Organization = %+v, %v, with %d registrations", sum, err, asked)
	}
	if _, err := s.EraseUser(t.Context(), storage.Removal{User: userOf(10), Organization: "globex", By: by}); err != nil {
		t.Error(err)
	}
	wantLeft(t, s, 0)
}

// A cancelled erasure finishes the users it has begun with and leaves the others to the next one.
func TestCancelled(t *testing.T) {
	s := storeOf(t, 30)
	ctx, cancel := context.WithCancel(t.Context())
	slow := faulty.New(s)
	slow.Set(faulty.Fault{Kind: faulty.Slow, Methods: []faulty.Method{faulty.EraseUser}, Call: 10, Times: -1, Wait: func(own context.Context) {
		if cancel(); own.Err() != nil {
			t.Error("an erasure that has begun is cancelled")
		}
	}})
	sum, err := Organization(ctx, slow, "acme", by, nil)
	if !errors.Is(err, context.Canceled) || sum.Users < 10 || sum.Users > 10+workers || sum.Failed != nil {
		t.Errorf("Organization = %+v, %v", sum, err)
	}
	wantLeft(t, s, 30-int(sum.Users))
	wantState(t, s, storage.Ending)
	again, err := Organization(t.Context(), s, "acme", by, nil)
	if err != nil || again.Users != 30-sum.Users || !again.Ended {
		t.Errorf("Organization again = %+v, %v", again, err)
	}
	wantState(t, s, storage.Ended)
}

// An administrator who registers the organisation again keeps those whom the erasure has not come to.
func TestLifted(t *testing.T) {
	const users = storage.MaxPage + 20
	s := storeOf(t, users)
	slow := faulty.New(s)
	slow.Set(faulty.Fault{Kind: faulty.Slow, Methods: []faulty.Method{faulty.EraseUser}, Call: 3, Wait: func(ctx context.Context) {
		admin := by
		admin.Readmits = true
		if created, err := s.AddOrganization(ctx, "acme", admin); !created || err != nil {
			t.Errorf("AddOrganization = %v, %v", created, err)
		}
	}})
	sum, err := Organization(t.Context(), slow, "acme", by, nil)
	if !errors.Is(err, ErrLifted) || sum.Users != storage.MaxPage || sum.Ended {
		t.Errorf("Organization = %+v, %v, want %v", sum, err, ErrLifted)
	}
	wantLeft(t, s, users-storage.MaxPage)
	wantState(t, s, storage.Registered)
}

// An administrator who registers the organisation again when nobody is left is told of, with users or without: it has not ended.
func TestLiftedLast(t *testing.T) {
	for name, users := range map[string]int{"with nobody": 0, "with a user": 1} {
		t.Run(name, func(t *testing.T) {
			s := storeOf(t, 3)
			slow := faulty.New(s)
			slow.Set(faulty.Fault{Kind: faulty.Slow, Methods: []faulty.Method{faulty.RemoveOrganization}, Wait: func(ctx context.Context) {
				admin := by
				admin.Readmits = true
				if created, err := s.AddOrganization(ctx, "acme", admin); !created || err != nil {
					t.Errorf("AddOrganization = %v, %v", created, err)
				}
				for n := range users {
					put(t, s, userOf(10+n), "acme", true)
				}
			}})
			sum, err := Organization(t.Context(), slow, "acme", by, nil)
			if !errors.Is(err, ErrLifted) || sum.Users != 3 || sum.Ended {
				t.Errorf("Organization = %+v, %v, want %v", sum, err, ErrLifted)
			}
			wantLeft(t, s, users)
		})
	}
}
