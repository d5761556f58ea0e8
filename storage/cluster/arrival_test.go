package cluster

import (
	"encoding/hex"
	"errors"
	"testing"

	"example.org/avatard/storage"
)

var moving = [16]byte{1, 2, 3}

func arrive(t *testing.T, o Options) storage.Arrival {
	t.Helper()
	a, err := At(o).Arrive(t.Context(), moving)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func arrivingUser(number int64, id, picture string) storage.ArrivingUser {
	u := storage.ArrivingUser{User: storage.UserKey{Issuer: "https://issuer.test", ID: id},
		Record: storage.UserRecord{Number: number, ID: id, Organization: acme, Created: 1, Changed: 2, Sequence: 2}}
	if picture != "" {
		u.Picture = &storage.PictureRecord{Generation: [16]byte{byte(number)}, Format: storage.PNG, Data: []byte(picture)}
	}
	return u
}

// A process that takes users is killed while their pictures are on their way. The next one stores them again, and a picture that arrives late
// replaces nothing and leaves nothing.
func TestArrivalKilledWhileItStores(t *testing.T) {
	for _, versioned := range []bool{true, false} {
		o := options(t, versioned)
		b := o.Bucket.Transport.(*breakable)
		a := arrive(t, o)
		if err := a.Note(t.Context(), []storage.Record{storage.StoreRecord{ID: moving}, storage.OrganizationRecord{ID: acme, Created: 1}}); err != nil {
			t.Fatal(err)
		}
		users := []storage.ArrivingUser{arrivingUser(1, "one", "first picture"), arrivingUser(2, "two", "second picture"), arrivingUser(3, "three", "")}
		b.lose.Store(true)
		if _, err := a.Take(t.Context(), users, false); err == nil {
			t.Fatal("Take without the bucket = nil")
		}
		b.lose.Store(false)
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := At(o).Arrive(t.Context(), [16]byte{9}); !errors.Is(err, storage.ErrStoreExists) {
			t.Errorf("another store arrives: %v, want %v", err, storage.ErrStoreExists)
		}
		a = arrive(t, o)
		if n, err := a.Take(t.Context(), users, false); err != nil || n != 2 {
			t.Errorf("Take again = %d, %v, want 2 users changed", n, err)
		}
		for _, late := range b.late {
			answer, err := b.Transport.RoundTrip(late)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
		}
		if n, err := a.Take(t.Context(), users, true); err != nil || n != 0 {
			t.Errorf("Take of what is there = %d, %v, want none changed", n, err)
		}
		if err := errors.Join(a.Finish(t.Context()), a.Finish(t.Context()), a.Close()); err != nil {
			t.Fatal(err)
		}
		s := openStore(t, o)
		got, err := s.Get(t.Context(), users[0].User, acme)
		if err != nil || string(got.Data) != "first picture" || got.Generation != hex.EncodeToString(users[0].Picture.Generation[:]) {
			t.Errorf("Get = %q, %v", got.Data, err)
		}
		if found, _ := checked(t, s, false); len(found) > 0 {
			t.Errorf("a check finds %+v", found)
		}
		if u := addUser(t, s, "next"); u.ID != "next" {
			t.Error("nobody new can register")
		}
	}
}

// A comparison finds a picture whose bytes are others, or gone, and replaces it.
func TestArrivalCompares(t *testing.T) {
	o := options(t, true)
	a := arrive(t, o)
	defer func() { _ = a.Close() }()
	if err := a.Note(t.Context(), []storage.Record{storage.StoreRecord{ID: moving}, storage.OrganizationRecord{ID: acme, Created: 1}}); err != nil {
		t.Fatal(err)
	}
	users := []storage.ArrivingUser{arrivingUser(1, "one", "first picture"), arrivingUser(2, "two", "second picture")}
	if _, err := a.Take(t.Context(), users, false); err != nil {
		t.Fatal(err)
	}
	folder := a.(*arrival).folders.of("https://issuer.test", "two")
	eraseObject(t, o.Bucket.Bucket, folder+hex.EncodeToString(users[1].Picture.Generation[:]))
	users[0].Picture.Data = []byte("other picture")
	if n, err := a.Take(t.Context(), users, false); err != nil || n != 0 {
		t.Errorf("Take without a look at pictures = %d, %v, want none changed", n, err)
	}
	for _, want := range []int{2, 0} {
		if n, err := a.Take(t.Context(), users, true); err != nil || n != want {
			t.Errorf("Take with a look at pictures = %d, %v, want %d changed", n, err, want)
		}
	}
	if left := listed(t, o); len(left) != 2 {
		t.Errorf("listed: %v, want two", left)
	}
}

// A store is not moved away while a server has it open, and does not say that it is; afterwards no server opens it.
func TestDepartBesideAServer(t *testing.T) {
	t.Parallel() // it waits most of the time
	o := options(t, false)
	server, err := Open(t.Context(), o, storage.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p := At(o)
	if err := p.Depart(t.Context(), storage.Departure{To: "there"}); !errors.Is(err, storage.ErrInUse) {
		t.Errorf("Depart beside a server = %v, want %v", err, storage.ErrInUse)
	}
	if d, err := p.Departure(t.Context()); err != nil || d != (storage.Departure{}) {
		t.Errorf("Departure = %+v, %v, want none", d, err)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.Depart(t.Context(), storage.Departure{To: "there"}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Open(t.Context(), storage.OpenOptions{}); !errors.Is(err, storage.ErrMoved) {
		t.Errorf("Open of what is being moved = %v, want %v", err, storage.ErrMoved)
	}
}
