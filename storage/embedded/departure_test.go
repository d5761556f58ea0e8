package embedded

import (
	"errors"
	"slices"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/datadir"
)

// Whatever call fails while a move is put on record, before its effect, in the middle of it or behind it, the record is the one of before or
// the new one, opening the directory is refused as soon as there is one, and it can be put on record again.
func TestDepartEveryFault(t *testing.T) {
	records := []storage.Departure{{To: "there"}, {To: "there", Gone: true}, {To: "there", Gone: true, Erased: true}}
	for _, mode := range []faultMode{failBefore, failTorn, failAfter} {
		f := &faults{mode: mode}
		p := At(Config{Dir: t.TempDir(), WrapFile: f.wrap})
		s, err := p.Open(t.Context(), storage.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		var before storage.Departure
		for _, next := range records {
			failing := 1
			for ; departFailing(t, p, f, failing, before, next); failing++ {
			}
			if failing < 4 {
				t.Errorf("mode %d: %d calls, want a write and two syncs at least", mode, failing-1)
			}
			before = next
		}
	}
}

// departFailing puts a record in place of another one while a call fails, and reports whether it did.
func departFailing(t *testing.T, p *Place, f *faults, failing int, before, next storage.Departure) bool {
	t.Helper()
	f.set(func(call int, _, _ string) bool { return call == failing })
	err := p.Depart(t.Context(), next)
	f.set(nil)
	is, derr := p.Departure(t.Context())
	if derr != nil || is != before && is != next || err == nil && is != next {
		t.Errorf("mode %d, call %d failing with %v: on record %+v, %v, want %+v or %+v", f.mode, failing, err, is, derr, before, next)
	}
	if is.To != "" {
		if _, err := p.Open(t.Context(), storage.OpenOptions{}); !errors.Is(err, storage.ErrMoved) {
			t.Errorf("Open of what is recorded as %+v = %v, want %v", is, err, storage.ErrMoved)
		}
	}
	if err != nil && !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
	return err != nil
}

// A record is durable before it takes the place of the one before, and its name before Depart returns.
func TestDepartIsDurable(t *testing.T) {
	f := &faults{}
	p := At(Config{Dir: t.TempDir(), WrapFile: f.wrap})
	s, err := p.Open(t.Context(), storage.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var calls []string
	var seen []storage.Departure // when each call is made
	f.set(func(_ int, name, op string) bool {
		d, err := p.Departure(t.Context())
		if err != nil {
			t.Error(err)
		}
		calls, seen = append(calls, op+" "+name), append(seen, d)
		return false
	})
	d := storage.Departure{To: "there"}
	if err := p.Depart(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	f.set(nil)
	wantCalls := []string{"write " + movedName + ".new", "sync " + movedName + ".new", "sync " + datadir.Data}
	if !slices.Equal(calls, wantCalls) || !slices.Equal(seen, []storage.Departure{{}, {}, d}) {
		t.Errorf("calls %q with %+v on record, want %q, and the record between the syncs", calls, seen, wantCalls)
	}
}
