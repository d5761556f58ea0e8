package storagetest

import "example.org/avatard/storage"

// checkRemoveOrganization: only an organisation without users can be removed, and it may be registered again.
func checkRemoveOrganization(t TB, h Harness) {
	f := open(t, h)
	there := func(want bool) {
		state := storage.Removed
		if want {
			state = storage.Registered
		}
		f.lasting(func(when string) { f.wantState(acme, state, when) })
	}
	f.removeOrganization(acme, false, nil, "unknown")
	u, data := user("u"), sample(1, 600)
	f.addUser(user("other"), globex)
	f.addUser(u, acme)
	f.put(u, acme, data)
	f.removeOrganization(acme, false, storage.ErrOrganizationInUse, "in use")
	there(true)
	f.wantPicture(u, acme, data)
	f.eraseUser(removal(u, acme))
	f.removeOrganization(acme, true, nil, "left")
	there(false)
	f.removeOrganization(acme, false, nil, "again")
	_, _, err := f.store.MoveUser(f.Context(), user("other"), acme, origin())
	f.wantErr(err, storage.ErrOrganizationNotFound, "MoveUser to an organisation that was removed")
	f.readmit(u, globex) // while its organisation of before is gone
	if created, err := f.store.AddOrganization(f.Context(), acme, origin()); err != nil || !created {
		t.Errorf("AddOrganization of one that was removed = %v, %v, want true, nil", created, err)
	}
	there(true)
	f.removeOrganization(acme, true, nil, "empty")
	f.eraseUser(removal(u, globex))
	f.readmit(u, acme) // registers it, too
	there(true)
	f.removeOrganization(acme, false, storage.ErrOrganizationInUse, "in use again")
}

func (f *fixture) removeOrganization(org string, want bool, wantErr error, when string) {
	f.Helper()
	removed, err := f.store.RemoveOrganization(f.Context(), org, origin())
	if removed != want {
		f.Errorf("%s: RemoveOrganization(%s) = %v, want %v", when, org, removed, want)
	}
	f.wantErr(err, wantErr, "%s: RemoveOrganization(%s)", when, org)
}

func (f *fixture) endOrganization(org string, want bool, wantErr error, when string) {
	f.Helper()
	ended, err := f.store.EndOrganization(f.Context(), org, origin())
	if ended != want {
		f.Errorf("%s: EndOrganization(%s) = %v, want %v", when, org, ended, want)
	}
	f.wantErr(err, wantErr, "%s: EndOrganization(%s)", when, org)
}

// wantState demands the state of an organisation of every method that has it.
func (f *fixture) wantState(org string, want storage.RegistrationState, when string) {
	f.Helper()
	if state, err := f.store.OrganizationState(f.Context(), org); err != nil || state != want {
		f.Errorf("%s: OrganizationState(%s) = %v, %v, want %v, nil", when, org, state, err, want)
	}
	f.wantOrganization(org, want.On())
	page, err := f.store.ListOrganizations(f.Context(), "")
	listed, ending := false, false
	for _, o := range page {
		if o.ID == org {
			listed, ending = true, o.Ending
		}
	}
	if err != nil || listed != want.On() || ending != (want == storage.Ending) {
		f.Errorf("%s: %s is listed: %v, as ending: %v, %v, in state %v", when, org, listed, ending, err, want)
	}
}

// wantNoNewUsers demands that nothing makes anybody a user of an organisation that is ending or has ended. other is a user of another one.
func (f *fixture) wantNoNewUsers(org string, other storage.UserKey, when string) {
	f.Helper()
	created, err := f.store.AddOrganization(f.Context(), org, origin())
	f.wantErr(err, storage.ErrOrganizationEnded, "%s: AddOrganization", when)
	for _, by := range []storage.Origin{origin(), readmitting()} {
		_, added, err := f.store.AddUser(f.Context(), user("new"), org, by)
		f.wantErr(err, storage.ErrOrganizationEnded, "%s: AddUser, readmits: %v", when, by.Readmits)
		up := upload(user("new"), org, sample(8, 200))
		up.Register, up.By = true, by
		_, err = f.store.Put(f.Context(), up)
		f.wantErr(err, storage.ErrOrganizationEnded, "%s: Put with Register, readmits: %v", when, by.Readmits)
		created = created || added
	}
	_, moved, err := f.store.MoveUser(f.Context(), other, org, readmitting())
	if !isOneOf(err, storage.ErrOrganizationEnded) && !(isOneOf(err, storage.ErrOrganizationNotFound) && !f.hasOrganization(org)) {
		f.Errorf("%s: MoveUser = %v, want %v", when, err, storage.ErrOrganizationEnded)
	}
	if created || moved {
		f.Errorf("%s: created %v, moved %v, want false", when, created, moved)
	}
	up := upload(user("new"), org, sample(8, 200))
	_, err = f.store.Put(f.Context(), up)
	f.wantErr(err, storage.ErrUserNotFound, "%s: Put of an unknown user", when)
}

func (f *fixture) hasOrganization(org string) bool {
	has, err := f.store.HasOrganization(f.Context(), org)
	return has && err == nil
}

// checkEndOrganization: an organisation that is ending keeps the users it has and takes no other; without any it ends, until an
// administrator registers it again.
func checkEndOrganization(t TB, h Harness) {
	f := open(t, h)
	f.endOrganization(acme, false, storage.ErrOrganizationNotFound, "unknown")
	f.wantState(acme, storage.Removed, "unknown")
	a, b, other := user("a"), user("b"), user("other")
	f.addUser(a, acme)
	f.addUser(b, acme)
	f.addUser(other, globex)
	f.endOrganization(acme, true, nil, "with users")
	f.put(a, acme, sample(1, 700))
	f.put(b, acme, sample(2, 700))
	f.lasting(func(when string) {
		f.endOrganization(acme, false, nil, when)
		f.wantState(acme, storage.Ending, when)
		f.wantState(globex, storage.Registered, when)
		f.wantNoNewUsers(acme, other, when)
		f.removeOrganization(acme, false, storage.ErrOrganizationInUse, when)
		f.wantPicture(a, acme, sample(1, 700))
		f.same(f.peek(a, acme), record(2, start(), start()), "%s: AddUser of one it has", when)
	})
	f.stay(a, b)
	gone := f.eraseUser(removal(a, acme))
	f.removeOrganization(acme, true, nil, "left")
	f.lasting(func(when string) {
		f.wantState(acme, storage.Ended, when)
		f.removeOrganization(acme, false, nil, when)
		f.endOrganization(acme, false, nil, when)
		f.wantNoNewUsers(acme, other, when)
		f.wantEnded(a, gone, globex, when)
		_, created, err := f.store.AddUser(f.Context(), a, acme, readmitting())
		if f.wantErr(err, storage.ErrOrganizationEnded, "%s: AddUser that readmits", when); created {
			t.Errorf("%s: AddUser created somebody in an organisation that has ended", when)
		}
		f.wantNone(other, globex)
		f.wantNone(b, globex)
	})
	f.checkReadmitted(a)
}

// stay changes the pictures of two users whose organisation is ending: a stays, and b leaves it.
func (f *fixture) stay(a, b storage.UserKey) {
	up := upload(a, acme, sample(3, 800))
	up.Register = true // makes no difference for a registered user
	if _, err := f.store.Put(f.Context(), up); err != nil {
		f.Errorf("Put with Register for a user of an ending organisation = %v, want nil", err)
	}
	f.remove(b, acme)
	if _, moved, err := f.store.MoveUser(f.Context(), a, acme, origin()); moved || err != nil {
		f.Errorf("MoveUser to where the user is = %v, %v, want false, nil", moved, err)
	}
	if _, moved, err := f.store.MoveUser(f.Context(), b, globex, origin()); !moved || err != nil {
		f.Errorf("MoveUser out of an ending organisation = %v, %v, want true, nil", moved, err)
	}
}

// checkReadmitted registers acme again, which has ended, and globex, which is ending. gone is an ended user.
func (f *fixture) checkReadmitted(gone storage.UserKey) {
	f.endOrganization(globex, true, nil, "the other one")
	for _, org := range []string{acme, globex} {
		for i, want := range []bool{true, false, false} {
			by := readmitting()
			by.Readmits = i < 2
			if created, err := f.store.AddOrganization(f.Context(), org, by); err != nil || created != want {
				f.Errorf("AddOrganization(%s) that readmits, call %d = %v, %v, want %v, nil", org, i+1, created, err, want)
			}
		}
	}
	f.lasting(func(when string) {
		f.wantState(acme, storage.Registered, when)
		f.wantState(globex, storage.Registered, when)
	})
	f.readmit(gone, acme)
	f.addUser(user("new"), acme)
	f.addUser(user("newer"), globex)
	f.removeOrganization(acme, false, storage.ErrOrganizationInUse, "readmitted")
	f.eraseUser(removal(user("new"), acme))
	f.eraseUser(removal(gone, acme))
	f.removeOrganization(acme, true, nil, "readmitted and left")
	f.lasting(func(when string) { f.wantState(acme, storage.Removed, when) })
	f.addUser(user("newest"), acme) // it has not ended this time
}
