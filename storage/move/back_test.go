package move

import (
	"context"
	"errors"
	"testing"

	"avatard/storage"
	"avatard/storage/cluster"
)

// The way back: a database and a bucket become a directory while no server runs, and nothing is left in the bucket. A move that failed behind
// the copy goes on from there.
func TestWayBack(t *testing.T) {
	from, bucket := clusterOf(t, true)
	to := dirOf(t)
	want := fillStore(t, from, 150)
	server, err := from.Open(t.Context(), storage.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), Options{From: from, To: to}); !errors.Is(err, storage.ErrInUse) {
		t.Errorf("moved away under a server = %v, want %v", err, storage.ErrInUse)
	}
	if _, err := server.Stat(t.Context(), userOf(1), acme); err != nil {
		t.Errorf("the server afterwards: %v", err)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), Options{From: departing{from}, To: to}); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	if d, err := from.Departure(t.Context()); err != nil || d.Gone || d.To != to.String() {
		t.Errorf("Departure = %+v, %v, want one that has begun", d, err)
	}
	sum, err := Run(t.Context(), Options{From: from, To: to})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Users != 149 || sum.Pictures != int64(len(want.pictures)) || sum.Erased != sum.Pictures || sum.Copied != 0 {
		t.Errorf("summary of the rest: %+v", sum)
	}
	if n := objects(t, bucket); n != 0 {
		t.Errorf("%d objects are left, want none", n)
	}
	if _, err := from.Open(t.Context(), storage.OpenOptions{}); !errors.Is(err, storage.ErrMoved) {
		t.Errorf("opening what was moved = %v, want %v", err, storage.ErrMoved)
	}
	wantMoved(t, to, want)
}

// departing cannot put on record that it is gone.
type departing struct{ *cluster.Place }

func (d departing) Depart(ctx context.Context, to storage.Departure) error {
	if to.Gone {
		return errKilled
	}
	return d.Place.Depart(ctx, to)
}

// A target that cannot be used is refused before anything is on record of a move, and the source serves as before.
func TestTargetThatCannotBeUsed(t *testing.T) {
	from := dirOf(t)
	want := fillStore(t, from, 20)
	to, _ := clusterOf(t, false)
	o := optionsOf(t, servers.New(t, false))
	o.Bucket.Bucket = "nobody-made-it"
	wrong := cluster.At(o)
	for _, run := range []func() error{
		func() error { _, err := Run(t.Context(), Options{From: from, To: wrong}); return err },
		func() error {
			_, err := Place(Options{From: from, To: wrong}, func(Summary) {}).Open(t.Context(), storage.OpenOptions{})
			return err
		},
	} {
		if err := run(); err == nil {
			t.Error("moved into a bucket that is not there")
		}
	}
	wantMoved(t, from, want)
	if _, err := Run(t.Context(), Options{From: from, To: to}); err != nil {
		t.Errorf("afterwards, to one that can be used: %v", err)
	}
}

// A move that has ended, or is at the end of it, goes to no other place, and erases nothing when the target has lost the store.
func TestOtherTarget(t *testing.T) {
	from, bucket := clusterOf(t, false)
	to := dirOf(t)
	want := fillStore(t, from, 20)
	gone := storage.Departure{To: to.String(), Gone: true}
	if err := from.Depart(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]storage.Place{"another": dirOf(t), "an empty one": to} {
		if _, err := Run(t.Context(), Options{From: from, To: target}); err == nil {
			t.Errorf("moved to %s", name)
		}
	}
	if n := objects(t, bucket); n != len(want.pictures) {
		t.Errorf("%d objects are left, want %d", n, len(want.pictures))
	}
	gone.Erased = true
	if err := from.Depart(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), Options{From: from, To: dirOf(t)}); !errors.Is(err, storage.ErrMoved) {
		t.Errorf("moved once more, to another = %v, want %v", err, storage.ErrMoved)
	}
}

// Organisations of the configuration are registered before a move begins: a server asks for them at each start.
func TestOrganizationsBeforeAMove(t *testing.T) {
	from := dirOf(t)
	to, _ := clusterOf(t, false)
	fillStore(t, from, 20)
	if _, err := Run(t.Context(), Options{From: from, To: to, Organizations: []string{"configured"}, Registrar: by}); err != nil {
		t.Fatal(err)
	}
	opened(t, to, func(s storage.Engine) {
		if has, err := s.HasOrganization(t.Context(), "configured"); err != nil || !has {
			t.Errorf("HasOrganization = %v, %v", has, err)
		}
	})
}
