package storagetest

import (
	"time"

	"example.org/avatard/storage"
)

// readmitting is the origin of an administrator who registers on purpose.
func readmitting() storage.Origin {
	by := origin()
	by.Readmits = true
	return by
}

func (f *fixture) eraseUser(rm storage.Removal) storage.Result {
	f.Helper()
	res, err := f.store.EraseUser(f.Context(), rm)
	if err != nil {
		f.Fatalf("EraseUser(%.60q) = %v, want nil", rm.User, err)
	}
	return res
}

// readmit registers a user who has ended.
func (f *fixture) readmit(u storage.UserKey, org string) storage.Result {
	f.Helper()
	res, created, err := f.store.AddUser(f.Context(), u, org, readmitting())
	if err != nil || !created {
		f.Fatalf("AddUser(%.60q) that readmits = created %v, %v, want true, nil", u, created, err)
	}
	return res
}

// wantEnded demands the tombstone of a user: nothing brings them back that does not readmit. elsewhere is another organisation on record.
func (f *fixture) wantEnded(u storage.UserKey, want storage.Result, elsewhere, when string) {
	f.Helper()
	org := want.Details.Organization
	for _, at := range []string{org, elsewhere} {
		_, err := f.store.Get(f.Context(), u, at)
		f.wantErr(err, storage.ErrUserNotFound, "%s: Get in %s", when, at)
		_, err = f.store.Stat(f.Context(), u, at)
		f.wantErr(err, storage.ErrUserNotFound, "%s: Stat in %s", when, at)
		_, moved, err := f.store.MoveUser(f.Context(), u, at, readmitting())
		f.wantEither(err, storage.ErrUserNotFound, at, "%s: MoveUser to %s", when, at)
		if moved {
			f.Errorf("%s: MoveUser moved somebody who has ended", when)
		}
		for _, rm := range []storage.Removal{removal(u, at), {User: u, AnyOrganization: true, By: origin()}} {
			_, err = f.store.Remove(f.Context(), rm)
			f.wantErr(err, storage.ErrUserNotFound, "%s: Remove in %s", when, at)
		}
	}
	f.wantNoReturn(u, org, elsewhere, when)
	never := storage.Condition{IfMatch: []string{storage.AnyPicture}}
	for _, rm := range []storage.Removal{removal(u, org), {User: u, Organization: org, By: origin(), If: never}, {User: u, AnyOrganization: true, By: origin(), If: never}} {
		f.same(f.eraseUser(rm), want, "%s: EraseUser again", when)
	}
	_, err := f.store.EraseUser(f.Context(), removal(u, elsewhere))
	f.wantErr(err, storage.ErrUserNotFound, "%s: EraseUser again in another organisation", when)
	if l := f.listed(storage.UserQuery{ID: u.ID}); len(l) != 0 {
		f.Errorf("%s: %v is listed", when, l)
	}
}

// wantNoReturn demands that no registration and no upload brings an ended user back, and that their refusals leave nothing behind.
func (f *fixture) wantNoReturn(u storage.UserKey, org, elsewhere, when string) {
	f.Helper()
	const nowhere = "nowhere"
	up := upload(u, org, sample(7, 300))
	_, err := f.store.Put(f.Context(), up)
	f.wantErr(err, storage.ErrUserEnded, "%s: Put", when)
	up.Organization = elsewhere
	_, err = f.store.Put(f.Context(), up)
	f.wantErr(err, storage.ErrUserNotFound, "%s: Put in another organisation", when)
	up.Register = true
	for _, at := range []string{org, elsewhere, nowhere} {
		_, created, err := f.store.AddUser(f.Context(), u, at, origin())
		f.wantEither(err, storage.ErrUserEnded, at, "%s: AddUser in %s", when, at)
		if created {
			f.Errorf("%s: AddUser in %s created somebody who has ended", when, at)
		}
		up.Organization = at
		for _, up.By = range []storage.Origin{origin(), readmitting()} {
			_, err = f.store.Put(f.Context(), up)
			f.wantEither(err, storage.ErrUserEnded, at, "%s: Put with Register in %s, readmits: %v", when, at, up.By.Readmits)
		}
	}
	f.wantOrganization(nowhere, false)
}

// wantEither demands an error because of the user, or one because of the organisation where that is ending or has ended.
func (f *fixture) wantEither(err, want error, org, format string, args ...any) {
	f.Helper()
	if state, _ := f.store.OrganizationState(f.Context(), org); state.Refuses() && isOneOf(err, storage.ErrOrganizationEnded, storage.ErrOrganizationNotFound) {
		return
	}
	f.wantErr(err, want, format, args...)
}

// checkEraseUser: users with a picture and without end; when they are readmitted, sequence and receipts go on.
func checkEraseUser(t TB, h Harness) {
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
	f.checkEndsAndReturns(user("with"), f.put(user("with"), acme, sample(2, 5000)), true, others)
	f.clock.advance(time.Second)
	f.checkEndsAndReturns(user("without"), f.addUser(user("without"), acme), false, others)

	nobody := user("nobody")
	for _, rm := range []storage.Removal{removal(nobody, acme), {User: nobody, AnyOrganization: true, By: origin()}} {
		_, err := f.store.EraseUser(f.Context(), rm)
		f.wantErr(err, storage.ErrUserNotFound, "EraseUser of an unknown user")
	}
	if res, created, err := f.store.AddUser(f.Context(), nobody, acme, origin()); err != nil || !created || res.Details.Sequence != 1 {
		t.Errorf("AddUser after EraseUser of an unknown user = %+v, %v, %v, want a new one", res, created, err)
	}
}

// checkEndsAndReturns ends a user of acme twice, and readmits them each time. before is the result of the last change; erases: there is a
// picture.
func (f *fixture) checkEndsAndReturns(u storage.UserKey, before storage.Result, erases bool, others func()) {
	_, err := f.store.EraseUser(f.Context(), removal(u, globex))
	f.wantErr(err, storage.ErrOtherOrganization, "EraseUser in another organisation")
	if erases {
		before.Details.Sequence++ // the erasure is a change of its own
	}
	f.clock.advance(time.Second)
	got := f.eraseUser(removal(u, acme))
	want := record(before.Details.Sequence+1, before.Details.CreationDate, f.clock.Now())
	if want.Receipt = got.Receipt; erases == (got.Receipt == "") || erases && got.Receipt == before.Receipt {
		f.Errorf("EraseUser = receipt %q after %q, erases %v", got.Receipt, before.Receipt, erases)
	}
	f.same(got, want, "EraseUser")
	f.clock.advance(time.Second)
	f.lasting(func(when string) {
		f.wantEnded(u, want, globex, when)
		others()
	})

	back := record(want.Details.Sequence+1, f.clock.Now(), f.clock.Now())
	back.Details.Organization, back.Receipt = globex, want.Receipt
	f.same(f.readmit(u, globex), back, "AddUser that readmits")
	f.lasting(func(when string) {
		f.wantNone(u, globex)
		f.same(f.peek(u, globex), back, "%s: AddUser", when)
	})
	again := f.put(u, globex, sample(3, 700))
	if again.Details.Sequence != back.Details.Sequence+1 {
		f.Errorf("Put of a user who came back = %+v, want one change after %+v", again, back)
	}
	f.wantPicture(u, globex, sample(3, 700))
	f.wantEnded(u, f.eraseUser(removal(u, globex)), acme, "again")
	if res := f.readmit(u, acme); res.Details.Sequence != again.Details.Sequence+3 {
		f.Errorf("AddUser that readmits again = %+v, want three changes after %+v", res, again)
	}
	f.put(u, acme, sample(4, 900))
	f.lasting(func(string) { f.wantPicture(u, acme, sample(4, 900)) })
}

// checkEraseUserIf: the organisation may be left open, and conditions are decided as for Remove.
func checkEraseUserIf(t TB, h Harness) {
	f := open(t, h)
	u, data := user("u"), sample(1, 3000)
	f.addUser(u, acme)
	f.addUser(user("other"), globex)
	f.put(u, acme, data)
	generation := f.wantPicture(u, acme, data).Generation
	want := f.peek(u, acme)
	for _, rm := range []storage.Removal{
		{If: storage.Condition{IfMatch: []string{"00000000000000000000000000000000"}}},
		{If: storage.Condition{IfNoneMatch: []string{storage.AnyPicture}}},
		{If: storage.Condition{IfNoneMatch: []string{generation}}, AnyOrganization: true},
	} {
		rm.User, rm.Organization, rm.By = u, acme, origin()
		_, err := f.store.EraseUser(f.Context(), rm)
		f.wantErr(err, storage.ErrConditionFailed, "EraseUser with %+v", rm.If)
		f.wantPicture(u, acme, data)
		f.same(f.peek(u, acme), want, "AddUser after a condition that does not hold")
	}
	rm := storage.Removal{User: u, Organization: globex, AnyOrganization: true, By: origin(), If: storage.Condition{IfMatch: []string{generation}}}
	got := f.eraseUser(rm)
	if got.Details.Organization != acme || got.Details.Sequence != want.Details.Sequence+2 {
		t.Errorf("EraseUser anywhere = %+v after %+v, want two changes in %s", got, want, acme)
	}
	f.lasting(func(when string) { f.wantEnded(u, got, globex, when) })
}
