package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"

	"connectrpc.com/connect"

	avatardv1 "example.org/avatard/gen/avatard/v1"
	"example.org/avatard/internal/admin"
	"example.org/avatard/storage"
	"example.org/avatard/test/client"
	"example.org/avatard/test/proof/testbed"
)

// What a user may be in the history of their ends and readmissions. An end is to it what a delete is to the one of pictures.
const (
	registered = 0
	ended      = none
)

// userEnded is the id of the error that an upload gets whose user has ended.
const userEnded = "AVATAR-u5Nd9"

// mayBe reports whether the user may have been that at some time between the two moments.
func (u *user) mayBe(standing int, begin, end int64) bool {
	return slices.Contains(u.standing.may(begin, end), standing)
}

// turnedAway reports whether a change is right to be turned away: its user has ended, or nobody has registered them. An upload registers.
func (u *user) turnedAway(picture int, a client.Answer, known bool, begin, end int64) bool {
	if picture != none {
		return a.Code == connect.CodeFailedPrecondition && a.Detail.GetId() == userEnded && u.mayBe(ended, begin, end)
	}
	return a.Code == connect.CodeNotFound && (!known || u.mayBe(ended, begin, end))
}

// ofRegistered returns a change whose acknowledgement says that its user has not ended.
func (l *load) ofRegistered(u *user, call func() client.Answer) func() client.Answer {
	return func() client.Answer {
		begin := l.clock.tick()
		a := call()
		if end := l.clock.tick(); a.Acknowledged() && !u.mayBe(registered, begin, end) {
			l.violations.add(u, revived, "a change between %d and %d of a user who has ended: %v", begin, end, a)
		}
		return a
	}
}

// end ends a user, as the manager, which is a delete as well.
func (l *load) end(ctx context.Context, random *rand.Rand, u *user) bool {
	form := client.Forms()[random.IntN(len(client.Forms()))]
	method := avatardv1.File_avatard_v1_erasure_proto.Services().ByName("ErasureService").Methods().ByName("EraseUser")
	u.hasEnded.Store(true)
	return l.change(u, none, "end, "+string(form), func() client.Answer {
		n := u.standing.begin(ended, l.clock.tick())
		a, _ := l.client.Invoke(ctx, form, client.Bearer(l.testbed.Manager()), method, &avatardv1.EraseUserRequest{UserId: u.ID})
		if a.Acknowledged() {
			u.standing.acknowledged(n, l.clock.tick())
			l.figures.Ends.Add(1)
		}
		return a
	})
}

// readmit registers a user again, as the command does. It reports false when there was no answer.
func (l *load) readmit(ctx context.Context, u *user) bool {
	begin := l.clock.tick()
	n := u.standing.begin(registered, begin)
	_, err := admin.NewClient(l.testbed.Data()).AddUser(ctx, admin.Request{User: u.ID, Organization: testbed.Organization, Admission: admin.Admission{Readmits: true}})
	end := l.clock.tick()
	u.note("%d–%d readmission: %v", begin, end, err)
	switch {
	case err == nil:
		u.standing.acknowledged(n, end)
		u.hasEnded.Store(false)
		return true
	case errors.Is(err, admin.ErrRefused):
		l.violations.add(u, answer, "readmission between %d and %d: %v", begin, end, err)
	}
	l.figures.Unanswered.Add(1)
	return false
}

// examineStanding sees whether a user with whom something has happened is registered: from then on it is certain.
func (l *load) examineStanding(ctx context.Context, u *user) error {
	reply, err := admin.NewClient(l.testbed.Data()).List(ctx, admin.ListRequest{Query: storage.UserQuery{ID: u.ID}})
	if err != nil {
		return err
	}
	now, standing := l.clock.tick(), registered
	switch listed := len(reply.Users) > 0; {
	case listed && !u.mayBe(registered, now, now):
		l.violations.add(u, revived, "a user who has ended is listed")
	case listed || !u.isRegistered(false):
	case u.mayBe(ended, now, now):
		standing = ended
	default:
		l.violations.add(u, lost, "a user who was not ended is not listed")
	}
	u.standing.settle(standing)
	u.hasEnded.Store(standing == ended)
	return nil
}
