package storagetest

import (
	"time"

	"example.org/avatard/storage"
)

func (f *fixture) removeUser(rm storage.Removal) storage.Result {
	f.Helper()
	res, err := f.store.RemoveUser(f.Context(), rm)
	if err != nil {
		f.Fatalf("RemoveUser(%.60q) = %v, want nil", rm.User, err)
	}
	return res
}

// wantNobody demands that the user is registered for no method.
func (f *fixture) wantNobody(u storage.UserKey, org, when string) {
	f.Helper()
	f.wantRefused(u, org, storage.ErrUserNotFound, storage.ErrUserNotFound, when)
	_, moved, err := f.store.MoveUser(f.Context(), u, org, origin())
	f.wantErr(err, storage.ErrUserNotFound, "%s: MoveUser", when)
	if moved {
		f.Errorf("%s: MoveUser moved somebody who is not registered", when)
	}
	for _, rm := range []storage.Removal{removal(u, org), {User: u, AnyOrganization: true, By: origin()}} {
		_, err = f.store.RemoveUser(f.Context(), rm)
		f.wantErr(err, storage.ErrUserNotFound, "%s: RemoveUser", when)
		_, err = f.store.Remove(f.Context(), rm)
		f.wantErr(err, storage.ErrUserNotFound, "%s: Remove", when)
	}
	if l := f.listed(storage.UserQuery{ID: u.ID}); len(l) != 0 {
		f.Errorf("%s: %v is listed", when, l)
	}
}

// checkRemoveUser: users with a picture and without go off the record; when they are registered again, sequence and receipts go on.
func checkRemoveUser(t TB, h Harness) {
	f := open(t, h)
	f.addUser(user("other"), globex)
	kept := sample(9, 800)
	f.put(user("other"), globex, kept)
	others := func() {
		f.wantOrganization(acme, true)
		f.wantPicture(user("other"), globex, kept)
	}
	f.clock.advance(time.Second)
	f.addUser(user("with"), acme)
	f.put(user("with"), acme, sample(1, 300))
	f.checkLeavesAndReturns(user("with"), f.put(user("with"), acme, sample(2, 5000)), true, others)
	f.clock.advance(time.Second)
	f.checkLeavesAndReturns(user("without"), f.addUser(user("without"), acme), false, others)
	_, err := f.store.RemoveUser(f.Context(), removal(user("nobody"), acme))
	f.wantErr(err, storage.ErrUserNotFound, "RemoveUser of an unknown user")
}

// checkLeavesAndReturns removes a user of acme twice, and registers them again each time: by AddUser, and by an upload. before is the result
// of the last change; erases: there is a picture.
func (f *fixture) checkLeavesAndReturns(u storage.UserKey, before storage.Result, erases bool, others func()) {
	_, err := f.store.RemoveUser(f.Context(), removal(u, globex))
	f.wantErr(err, storage.ErrOtherOrganization, "RemoveUser in another organisation")
	if erases {
		before.Details.Sequence++ // the erasure is a change of its own
	}
	f.clock.advance(time.Second)
	got := f.removeUser(removal(u, acme))
	want := record(before.Details.Sequence+1, before.Details.CreationDate, f.clock.Now())
	if want.Receipt = got.Receipt; erases == (got.Receipt == "") || erases && got.Receipt == before.Receipt {
		f.Errorf("RemoveUser = receipt %q after %q, erases %v", got.Receipt, before.Receipt, erases)
	}
	f.same(got, want, "RemoveUser")
	f.lasting(func(when string) {
		f.wantNobody(u, acme, when)
		others()
	})

	f.clock.advance(time.Second)
	back := f.returns(u, got)
	again := f.put(u, globex, sample(3, 700))
	if again.Details.Sequence != back.Details.Sequence+1 {
		f.Errorf("Put of a user who came back = %+v, want one change after %+v", again, back)
	}
	f.wantPicture(u, globex, sample(3, 700))
	f.removeUser(removal(u, globex))
	f.wantNobody(u, globex, "again")

	up := upload(u, acme, sample(4, 900))
	up.Register = true
	if res, err := f.store.Put(f.Context(), up); err != nil || res.Details.Sequence != again.Details.Sequence+4 {
		f.Errorf("Put with Register of a user who was removed = %+v, %v, want sequence %d", res, err, again.Details.Sequence+4)
	}
	f.lasting(func(string) { f.wantPicture(u, acme, up.Picture.Data) })
}

// returns registers a user who was removed in globex, and demands a new registration that goes on with sequence and receipts.
func (f *fixture) returns(u storage.UserKey, removed storage.Result) storage.Result {
	res, created, err := f.store.AddUser(f.Context(), u, globex, origin())
	want := record(removed.Details.Sequence+1, f.clock.Now(), f.clock.Now())
	want.Details.Organization, want.Receipt = globex, removed.Receipt
	if err != nil || !created {
		f.Errorf("AddUser of a user who was removed = created %v, %v, want true, nil", created, err)
	}
	f.same(res, want, "AddUser of a user who was removed")
	f.lasting(func(when string) {
		f.wantNone(u, globex)
		f.same(f.peek(u, globex), want, "%s: AddUser", when)
	})
	return want
}

// checkRemoveUserIf: the organisation may be left open, and conditions are decided as for Remove.
func checkRemoveUserIf(t TB, h Harness) {
	f := open(t, h)
	u, data := user("u"), sample(1, 3000)
	f.addUser(u, acme)
	f.put(u, acme, data)
	generation := f.wantPicture(u, acme, data).Generation
	want := f.peek(u, acme)
	for _, rm := range []storage.Removal{
		{If: storage.Condition{IfMatch: []string{"00000000000000000000000000000000"}}},
		{If: storage.Condition{IfNoneMatch: []string{storage.AnyPicture}}},
		{If: storage.Condition{IfNoneMatch: []string{generation}}, AnyOrganization: true},
	} {
		rm.User, rm.Organization, rm.By = u, acme, origin()
		_, err := f.store.RemoveUser(f.Context(), rm)
		f.wantErr(err, storage.ErrConditionFailed, "RemoveUser with %+v", rm.If)
		f.wantPicture(u, acme, data)
		f.same(f.peek(u, acme), want, "AddUser after a condition that does not hold")
	}
	rm := storage.Removal{User: u, Organization: globex, AnyOrganization: true, By: origin(), If: storage.Condition{IfMatch: []string{generation}}}
	if got := f.removeUser(rm); got.Details.Organization != acme || got.Details.Sequence != want.Details.Sequence+2 {
		t.Errorf("RemoveUser anywhere = %+v after %+v, want two changes in %s", got, want, acme)
	}
	f.lasting(func(when string) { f.wantNobody(u, acme, when) })
}

// checkRemoveOrganization: only an organisation without users can be removed, and it may be registered again.
func checkRemoveOrganization(t TB, h Harness) {
	f := open(t, h)
	remove := func(when string, want bool, wantErr error) {
		removed, err := f.store.RemoveOrganization(f.Context(), acme, origin())
		if removed != want {
			t.Errorf("%s: RemoveOrganization = %v, want %v", when, removed, want)
		}
		f.wantErr(err, wantErr, "%s: RemoveOrganization", when)
	}
	there := func(want bool) {
		f.lasting(func(when string) {
			f.wantOrganization(acme, want)
			page, err := f.store.ListOrganizations(f.Context(), "")
			listed := false
			for _, o := range page {
				listed = listed || o.ID == acme
			}
			if err != nil || listed != want {
				t.Errorf("%s: listed: %v, %v, want %v", when, listed, err, want)
			}
		})
	}
	remove("unknown", false, nil)
	u, data := user("u"), sample(1, 600)
	f.addUser(user("other"), globex)
	f.addUser(u, acme)
	f.put(u, acme, data)
	remove("in use", false, storage.ErrOrganizationInUse)
	there(true)
	f.wantPicture(u, acme, data)
	f.removeUser(removal(u, acme))
	remove("left", true, nil)
	there(false)
	remove("again", false, nil)
	_, _, err := f.store.MoveUser(f.Context(), user("other"), acme, origin())
	f.wantErr(err, storage.ErrOrganizationNotFound, "MoveUser to an organisation that was removed")
	f.addUser(u, globex) // while its organisation of before is gone
	if created, err := f.store.AddOrganization(f.Context(), acme, origin()); err != nil || !created {
		t.Errorf("AddOrganization of one that was removed = %v, %v, want true, nil", created, err)
	}
	there(true)
	remove("empty", true, nil)
	f.removeUser(removal(u, globex))
	f.addUser(u, acme) // registers it, too
	there(true)
	remove("in use again", false, storage.ErrOrganizationInUse)
}

// checkRemovedAndRegistered makes removals of a user and uploads that register the user again at once. After each round the user
// is registered with the last picture, or is not registered, and sequences only rise.
func checkRemovedAndRegistered(t TB, h Harness) {
	f := open(t, h)
	u := user("u")
	last := uint64(0)
	for round := range 24 {
		var results [6]storage.Result
		together(len(results), func(i int) {
			if i%2 == 0 {
				up := upload(u, acme, sample(uint64(100*round+i), 900+i))
				up.Register = true
				res, err := f.store.Put(f.Context(), up)
				if results[i] = res; err != nil {
					t.Errorf("Put with Register = %v, want nil", err)
				}
				return
			}
			res, err := f.store.RemoveUser(f.Context(), removal(u, acme))
			if results[i] = res; err != nil && !isOneOf(err, storage.ErrUserNotFound) {
				t.Errorf("RemoveUser = %v, want nil or %v", err, storage.ErrUserNotFound)
			}
		})
		seen := map[uint64]bool{}
		newest := 0
		for i, res := range results {
			if n := res.Details.Sequence; n != 0 && (n <= last || seen[n]) {
				t.Errorf("round %d: sequence %d twice, or not after %d", round, n, last)
			}
			if seen[res.Details.Sequence] = true; res.Details.Sequence > results[newest].Details.Sequence {
				newest = i
			}
		}
		last = results[newest].Details.Sequence
		if newest%2 == 0 {
			f.wantPicture(u, acme, sample(uint64(100*round+newest), 900+newest))
			f.removeUser(removal(u, acme))
			last += 2
		}
		f.wantNobody(u, acme, "after the round")
	}
	f.lasting(func(when string) { f.wantNobody(u, acme, when) })
}
