package storagetest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"example.org/avatard/storage"
)

// record is the result for a user in acme without a receipt, with times in UTC and whole microseconds.
func record(sequence uint64, created, changed time.Time) storage.Result {
	return storage.Result{Details: storage.Details{
		Sequence:     sequence,
		CreationDate: created.UTC().Truncate(time.Microsecond),
		ChangeDate:   changed.UTC().Truncate(time.Microsecond),
		Organization: acme,
	}}
}

func isOneOf(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
}

func checkDetails(t TB, h Harness)         { details(open(t, h), false) }
func checkDetailsReopened(t TB, h Harness) { details(open(t, h), true) }

// details makes every change that there is of a user's picture, one after the other, and demands the exact record each time.
func details(f *fixture, reopen bool) {
	steps := []struct {
		what    string
		upload  int  // bytes, 0 = Remove
		changes bool // one change more, dated now
		erases  bool // a new receipt
	}{
		{"remove with nothing ever set", 0, false, false},
		{"first upload", 3000, true, false},
		{"replacement", 200, true, true},
		{"replacement that is larger", 100_000, true, true},
		{"remove", 0, true, true},
		{"remove again", 0, false, false},
		{"remove a third time", 0, false, false},
		{"upload after a remove", 4096, true, false},
		{"replacement after that", 4096, true, true},
		{"second remove", 0, true, true},
		{"second remove again", 0, false, false},
	}
	u := user("u")
	created := f.clock.Now()
	want := f.addUser(u, acme)
	f.same(want, record(1, created, created), "AddUser")
	for i, step := range steps {
		f.clock.advance(1_234_567 * time.Nanosecond)
		if reopen {
			f.reopen()
		}
		data := sample(uint64(i), step.upload)
		var got storage.Result
		if step.upload > 0 {
			got = f.put(u, acme, data)
		} else {
			got = f.remove(u, acme)
		}
		if step.changes {
			want.Details = record(want.Details.Sequence+1, created, f.clock.Now()).Details
		}
		if step.erases {
			if got.Receipt == "" || got.Receipt == want.Receipt {
				f.Errorf("%s: receipt = %q after %q, want a new one", step.what, got.Receipt, want.Receipt)
			}
			want.Receipt = got.Receipt
		}
		f.same(got, want, "%s", step.what)
		f.same(f.peek(u, acme), want, "%s: AddUser", step.what)
		if step.upload > 0 {
			f.wantPicture(u, acme, data)
		} else {
			f.wantNone(u, acme)
		}
	}
	f.lasting(func(when string) {
		f.same(f.peek(u, acme), want, "%s: AddUser", when)
		f.same(f.remove(u, acme), want, "%s: Remove again", when)
		f.wantNone(u, acme)
	})
}

func checkMicroseconds(t TB, h Harness) {
	f := open(t, h)
	// Rounding would carry all the way into the next second, and year.
	f.clock.advance(time.Date(2026, 12, 31, 23, 59, 59, 999_999_999, time.UTC).Sub(f.clock.Now()))
	f.addUser(user("u"), acme)
	f.put(user("u"), acme, sample(1, 100))
	f.lasting(func(when string) {
		d := f.peek(user("u"), acme).Details
		for name, got := range map[string]time.Time{"creation date": d.CreationDate, "change date": d.ChangeDate} {
			if want := "2026-12-31T23:59:59.999999Z"; got.Format(time.RFC3339Nano) != want {
				t.Errorf("%s: %s = %s, want %s", when, name, got.Format(time.RFC3339Nano), want)
			}
		}
	})
}

func checkReceiptsDiffer(t TB, h Harness) {
	f := open(t, h)
	seen := map[string]string{}
	for round := range 3 {
		for i := range 5 {
			u := user(fmt.Sprint("user-", i))
			f.addUser(u, acme)
			f.put(u, acme, sample(uint64(round*10+i), 300))
			receipt := f.remove(u, acme).Receipt
			if other, ok := seen[receipt]; ok || receipt == "" {
				t.Errorf("round %d: receipt of user %d = %q, which is empty or that of %s", round, i, receipt, other)
			}
			seen[receipt] = fmt.Sprintf("user %d in round %d", i, round)
		}
		f.reopen()
	}
}
