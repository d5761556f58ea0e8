package move

import (
	"errors"
	"testing"

	"example.org/avatard/storage"
)

// An end that the target was not told of is not acknowledged, even if the source has it. It is on both sides when it is asked for again, and
// also when something else is asked for instead, or nothing.
func TestEndThatFailsOnOneSide(t *testing.T) {
	from := dirOf(t)
	to, _ := clusterOf(t, false)
	fillStore(t, from, 100)
	fail := false
	s := steps{Receiver: to, before: func(step string, _ []storage.ArrivingUser) error {
		if step == "follow" && fail {
			return errKilled
		}
		return nil
	}}
	page := 0
	var ended []storage.UserKey
	var tombstone storage.Result
	d := serveDuring(t, from, s, func(d *during, step string, users []storage.ArrivingUser) {
		if step != "compare" {
			return
		}
		if page++; page != 2 {
			return
		}
		three := d.free(users, 1, 3) // who were compared already, or are not yet
		ended = usersOf(three)
		fail = true
		for _, n := range three {
			if _, err := d.engine.EraseUser(t.Context(), removalOf(n)); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("EraseUser on one side = %v, want %v", err, storage.ErrUnavailable)
			}
		}
		fail = false
		var err error
		if tombstone, err = d.engine.EraseUser(t.Context(), removalOf(three[0])); err != nil {
			t.Errorf("EraseUser again = %v", err)
		}
		if _, err := d.engine.Remove(t.Context(), removalOf(three[1])); !errors.Is(err, storage.ErrUserNotFound) {
			t.Errorf("Remove of somebody who has ended = %v, want %v", err, storage.ErrUserNotFound)
		}
	})
	d.wait()
	wantEnded(t, d.engine, ended)
	if again, err := d.engine.EraseUser(t.Context(), storage.Removal{User: ended[0], AnyOrganization: true, By: by}); err != nil || again != tombstone {
		t.Errorf("EraseUser after the move = %+v, %v, want %+v", again, err, tombstone)
	}
	if err := d.engine.Close(); err != nil {
		t.Error(err)
	}
}
