package main

import (
	"testing"

	"connectrpc.com/connect"

	zitadelv1 "example.org/avatard/gen/zitadel/v1"
	"example.org/avatard/test/client"
)

// Who has ended is turned away until the readmission, and nobody else is.
func TestTurnedAway(t *testing.T) {
	gone := client.Answer{Code: connect.CodeFailedPrecondition, Detail: &zitadelv1.ErrorDetail{Id: userEnded}}
	other := client.Answer{Code: connect.CodeFailedPrecondition, Detail: &zitadelv1.ErrorDetail{Id: "AVATAR-o2Nd7"}}
	unknown := client.Answer{Code: connect.CodeNotFound}
	u := new(user)
	u.standing.settle(registered)
	want := func(about string, may, must bool) {
		t.Helper()
		now := int64(100)
		for _, c := range []struct {
			picture int
			answer  client.Answer
			known   bool
			want    bool
		}{{3, gone, true, may}, {3, other, true, false}, {3, unknown, true, false}, {none, unknown, true, may}, {none, unknown, false, true}, {none, gone, true, false}} {
			if got := u.turnedAway(c.picture, c.answer, c.known, now, now+1); got != c.want {
				t.Errorf("%s: turned away with %v for picture %d, known %v: %v, want %v", about, c.answer, c.picture, c.known, got, c.want)
			}
		}
		if got := !u.mayBe(registered, now, now+1); got != must {
			t.Errorf("%s: has certainly ended: %v, want %v", about, got, must)
		}
	}
	want("before", false, false)
	end := u.standing.begin(ended, 1)
	want("an end without an answer", true, false)
	u.standing.acknowledged(end, 2)
	want("an end", true, true)
	back := u.standing.begin(registered, 3)
	want("a readmission without an answer", true, false)
	u.standing.acknowledged(back, 4)
	want("a readmission", false, false)
}
