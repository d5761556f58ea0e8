package cluster

import (
	"errors"
	"testing"
	"time"

	"example.org/avatard/storage"
)

// arriveLosing begins to take a user whose picture stays on its way.
func arriveLosing(t *testing.T, o Options) (storage.Arrival, storage.ArrivingUser) {
	t.Helper()
	b := o.Bucket.Transport.(*breakable)
	a := arrive(t, o)
	if err := a.Note(t.Context(), []storage.Record{storage.StoreRecord{ID: moving}, storage.OrganizationRecord{ID: acme, Created: 1}}); err != nil {
		t.Fatal(err)
	}
	u := arrivingUser(1, "one", "the picture")
	b.lose.Store(true)
	if _, err := a.Take(t.Context(), []storage.ArrivingUser{u}, false); err == nil {
		t.Fatal("Take without the bucket = nil")
	}
	b.lose.Store(false)
	return a, u
}

// finished finishes an arrival, opens the store, and makes every look that is due later.
func finished(t *testing.T, o Options, a storage.Arrival) (s *Store, look func()) {
	t.Helper()
	if err := errors.Join(a.Finish(t.Context()), a.Close()); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, o)
	s.sweeping() // only the test sweeps
	conn := sql(t, o)
	return s, func() {
		t.Helper()
		tag, err := conn.Exec(t.Context(), `UPDATE work SET due = now() - interval '1 s' WHERE state = 4 AND reason = 3`)
		if err != nil || tag.RowsAffected() != 1 {
			t.Fatalf("looks that are to come: %d, %v, want 1", tag.RowsAffected(), err)
		}
		if err := s.sweepOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// A picture that arrives after its user has none any more is not listed for good: the folder is looked at again.
func TestArrivalOfWhatWasRemovedMeanwhile(t *testing.T) {
	for name, end := range map[string]func(storage.Arrival, storage.ArrivingUser) error{
		"a removal follows": func(a storage.Arrival, u storage.ArrivingUser) error {
			return a.Follow(t.Context(), u.User, &storage.Details{Sequence: 3, ChangeDate: time.Now()}, false)
		},
		"the user is taken again": func(a storage.Arrival, u storage.ArrivingUser) error {
			u.Picture, u.Record.Sequence = nil, 3
			_, err := a.Take(t.Context(), []storage.ArrivingUser{u}, false)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, true)
			a, u := arriveLosing(t, o)
			if err := errors.Join(end(a, u), end(a, u)); err != nil {
				t.Fatal(err)
			}
			o.Bucket.Transport.(*breakable).deliver(t)
			_, look := finished(t, o, a)
			look()
			if left := listed(t, o); len(left) > 0 {
				t.Errorf("listed: %v", left)
			}
		})
	}
}

// A picture that is brought again under its name stays when its folder is looked at again, and can be removed. What arrives late after that
// goes, too.
func TestArrivalOfWhatWasBroughtAgain(t *testing.T) {
	o := options(t, true)
	a, u := arriveLosing(t, o)
	if n, err := a.Take(t.Context(), []storage.ArrivingUser{u}, false); err != nil || n != 1 {
		t.Fatalf("Take again = %d, %v, want one user changed", n, err)
	}
	s, look := finished(t, o, a)
	look()
	if p, err := s.Get(t.Context(), u.User, acme); err != nil || string(p.Data) != "the picture" {
		t.Fatalf("Get = %q, %v", p.Data, err)
	}
	remove(t, s, u.User)
	o.Bucket.Transport.(*breakable).deliver(t)
	look()
	if left := listed(t, o); len(left) > 0 {
		t.Errorf("listed: %v", left)
	}
}
