package move

import (
	"errors"
	"testing"

	"example.org/avatard/storage"
)

// A store that nobody serves is afterwards in the database and the bucket as it was, and its pictures are erased from the directory.
func TestMove(t *testing.T) {
	for _, versioned := range []bool{true, false} {
		from := dirOf(t)
		to, _ := clusterOf(t, versioned)
		want := fillStore(t, from, 200)
		sum, err := Run(t.Context(), Options{From: from, To: to})
		if err != nil {
			t.Fatal(err)
		}
		if sum.Users != 199 || sum.Pictures != int64(len(want.pictures)) || sum.Copied != 200 || sum.Erased != sum.Pictures {
			t.Errorf("summary: %+v", sum)
		}
		wantErased(t, from, want.pictures)
		wantMoved(t, to, want)
		if sum, err := Run(t.Context(), Options{From: from, To: to}); err != nil || sum != (Summary{}) {
			t.Errorf("moved again: %+v, %v", sum, err)
		}
		other, _ := clusterOf(t, versioned)
		again := dirOf(t)
		fillStore(t, again, 20)
		if _, err := Run(t.Context(), Options{From: again, To: to}); !errors.Is(err, storage.ErrStoreExists) {
			t.Errorf("moved into a store = %v, want %v", err, storage.ErrStoreExists)
		}
		if _, err := Run(t.Context(), Options{From: again, To: other}); err != nil {
			t.Errorf("a move that was refused, to another place = %v", err)
		}
	}
}

// killer fails one step after the other: in each run one step later than in the run before.
type killer struct{ left int }

var errKilled = errors.New("killed")

func (k *killer) step(string, []storage.ArrivingUser) error {
	if k.left--; k.left == 0 {
		return errKilled
	}
	return nil
}

// Whatever step a move ends at, before its effect or behind it, the next one goes on, and at the end everything is as it was.
func TestMoveGoesOn(t *testing.T) {
	from := dirOf(t)
	to, _ := clusterOf(t, true)
	want := fillStore(t, from, 300)
	for n := 1; ; n++ {
		k := &killer{left: (n + 1) / 2}
		s := steps{Receiver: to}
		if n%2 == 0 {
			s.before = k.step
		} else {
			s.after = k.step
		}
		_, err := Run(t.Context(), Options{From: from, To: s})
		if err == nil {
			if n < 20 {
				t.Errorf("%d runs, want more", n)
			}
			break
		}
		if !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		if _, err := from.Open(t.Context(), storage.OpenOptions{}); !errors.Is(err, storage.ErrMoved) {
			t.Fatalf("opening what is being moved = %v, want %v", err, storage.ErrMoved)
		}
		if _, err := to.Open(t.Context(), storage.OpenOptions{}); n < 10 && !errors.Is(err, storage.ErrHalfRestored) {
			t.Fatalf("opening what is being moved to = %v, want %v", err, storage.ErrHalfRestored)
		}
	}
	wantErased(t, from, want.pictures)
	wantMoved(t, to, want)
}
