package move

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
)

// unsure is a source that fails to put on record that it is gone: before it is there, behind it, or so that nobody can tell.
type unsure struct {
	*embedded.Place
	behind, dumb bool
	left         *int // so often
	departed     *[]storage.Departure
}

func (u unsure) Depart(ctx context.Context, d storage.Departure) error {
	*u.departed = append(*u.departed, d)
	if !d.Gone || d.Erased || *u.left == 0 {
		return u.Place.Depart(ctx, d)
	}
	*u.left--
	if u.behind {
		return errors.Join(u.Place.Depart(ctx, d), errKilled)
	}
	return errKilled
}

func (u unsure) Departure(ctx context.Context) (storage.Departure, error) {
	if u.dumb && len(*u.departed) > 0 && *u.left == 0 {
		return storage.Departure{}, errKilled
	}
	return u.Place.Departure(ctx)
}

// When it fails to be put on record that the source is gone, calls are answered from the source if that is not on record, and from nowhere
// if it is, or may be. The move goes on by itself.
func TestRecordThatMayBeThere(t *testing.T) {
	for name, c := range map[string]struct{ behind, dumb, served bool }{
		"it is not there": {served: true},
		"it is there":     {behind: true},
		"nobody can tell": {dumb: true},
		"nor that it is":  {behind: true, dumb: true},
	} {
		t.Run(name, func(t *testing.T) {
			from := dirOf(t)
			to, bucket := clusterOf(t, false)
			want := fillStore(t, from, 20)
			left, departed := 1, []storage.Departure{}
			source := unsure{from, c.behind, c.dumb, &left, &departed}
			failed, again, done := make(chan struct{}), make(chan time.Time), make(chan Summary, 1)
			l := usualLimits()
			l.again = func() <-chan time.Time { close(failed); return again }
			s, err := Place(Options{From: source, To: to, limits: &l}, func(sum Summary) { done <- sum }).Open(t.Context(), storage.OpenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			<-failed
			_, got := s.Get(t.Context(), userOf(1), acme)
			_, removed := s.Remove(t.Context(), removalOf(1))
			for _, err := range []error{got, removed} {
				if c.served && err != nil || !c.served && !errors.Is(err, errMoving) {
					t.Errorf("a call meanwhile = %v, served %v", err, c.served)
				}
			}
			again <- time.Time{}
			<-done
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			pictures := len(want.pictures)
			if c.served {
				pictures--
			}
			if n := objects(t, bucket); n != pictures {
				t.Errorf("%d objects, want %d", n, pictures)
			}
		})
	}
}

// A record that the source is gone, which a killed process made, is made again, and so durable, before anything is done that relies on it.
func TestRecordOfAKilledProcess(t *testing.T) {
	from := dirOf(t)
	to, _ := clusterOf(t, false)
	fillStore(t, from, 20)
	killed := steps{Receiver: to, before: func(step string, _ []storage.ArrivingUser) error {
		if step == "finish" {
			return errKilled
		}
		return nil
	}}
	if _, err := Run(t.Context(), Options{From: from, To: killed}); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	left, departed := 0, []storage.Departure{}
	again := killed
	again.before = func(step string, _ []storage.ArrivingUser) error {
		gone := storage.Departure{To: to.String(), Gone: true}
		if step == "finish" && !slices.Contains(departed, gone) {
			t.Errorf("put on record before the target is opened: %+v, want %+v", departed, gone)
		}
		return nil
	}
	if _, err := Run(t.Context(), Options{From: unsure{Place: from, left: &left, departed: &departed}, To: again}); err != nil {
		t.Error(err)
	}
}
