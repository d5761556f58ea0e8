package move

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"

	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster"
	"example.org/avatard/storage/cluster/clustertest"
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

// meeting calls a function before and behind each record.
type meeting struct {
	*cluster.Place
	at func(d storage.Departure)
}

func (m meeting) Depart(ctx context.Context, d storage.Departure) error {
	m.at(d)
	defer m.at(d)
	return m.Place.Depart(ctx, d)
}

// On the way back no two stores can be served: the old one from the first record on not at all, and the new one not before the record that
// the old one is gone.
func TestWayBackServesOne(t *testing.T) {
	from, _ := clusterOf(t, false)
	to := dirOf(t)
	fillStore(t, from, 20)
	records := 0
	_, err := Run(t.Context(), Options{To: to, From: meeting{from, func(d storage.Departure) {
		if records++; d.Erased || records == 1 {
			return
		}
		if _, err := from.Open(t.Context(), storage.OpenOptions{}); !errors.Is(err, storage.ErrMoved) {
			t.Errorf("opening the old store at record %d = %v, want %v", records, err, storage.ErrMoved)
		}
		if !d.Gone {
			return
		}
		if _, err := to.Open(t.Context(), storage.OpenOptions{}); !errors.Is(err, storage.ErrInUse) {
			t.Errorf("opening the new store at record %d = %v, want %v", records, err, storage.ErrInUse)
		}
	}}})
	if err != nil {
		t.Error(err)
	}
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

// A move whose target has lost the store, after it was on record that it is there, begins nothing anew and erases nothing.
func TestTargetThatLostTheStore(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, made clustertest.Store){
		"nothing is there": func(t *testing.T, made clustertest.Store) { dropAll(t, made) },
		"another store is there": func(t *testing.T, made clustertest.Store) {
			dropAll(t, made)
			other := cluster.At(optionsOf(t, made))
			opened(t, other, func(storage.Engine) {})
		},
	} {
		t.Run(name, func(t *testing.T) {
			from := dirOf(t)
			made := servers.New(t, false)
			to := cluster.At(optionsOf(t, made))
			want := fillStore(t, from, 20)
			killed := steps{Receiver: to, before: func(step string, _ []storage.ArrivingUser) error {
				if step == "finish" {
					return errKilled
				}
				return nil
			}}
			if _, err := Run(t.Context(), Options{From: from, To: killed}); !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			lose(t, made)
			if _, err := Run(t.Context(), Options{From: from, To: to}); !errors.Is(err, errOtherTarget) {
				t.Errorf("the move goes on = %v, want %v", err, errOtherTarget)
			}
			source, err := from.Open(t.Context(), storage.OpenOptions{Moving: true})
			if err != nil {
				t.Fatal(err)
			}
			if is := peopleOf(t, source); len(is.pictures) != len(want.pictures) {
				t.Errorf("%d pictures are left in the source, want %d", len(is.pictures), len(want.pictures))
			}
			if err := source.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// dropAll removes a store's schema and empties its bucket.
func dropAll(t *testing.T, made clustertest.Store) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), made.Database)
	if err != nil {
		t.Fatal(err)
	}
	_, err = conn.Exec(t.Context(), `DROP SCHEMA avatard CASCADE`)
	if err = errors.Join(err, conn.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	for v := range servers.Client.ListObjects(t.Context(), made.Bucket, minio.ListObjectsOptions{WithVersions: true, Recursive: true}) {
		if err := errors.Join(v.Err, servers.Client.RemoveObject(t.Context(), made.Bucket, v.Key, minio.RemoveObjectOptions{VersionID: v.VersionID})); err != nil {
			t.Fatal(err)
		}
	}
}
