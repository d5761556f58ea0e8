package storagetest

import (
	"fmt"
	"testing"

	"example.org/avatard/storage"
)

var _ TB = (*testing.T)(nil)

func checkOrganization(t TB, h Harness) {
	f := open(t, h)
	f.wantOrganization(acme, false)
	for i, want := range []bool{true, false, false} {
		created, err := f.store.AddOrganization(f.Context(), acme, origin())
		if err != nil || created != want {
			t.Errorf("AddOrganization, call %d = %v, %v, want %v, nil", i+1, created, err, want)
		}
	}
	f.lasting(func(when string) {
		f.wantOrganization(acme, true)
		f.wantOrganization(globex, false)
		if created, err := f.store.AddOrganization(f.Context(), acme, origin()); err != nil || created {
			t.Errorf("%s: AddOrganization of a registered one = %v, %v, want false, nil", when, created, err)
		}
	})
	if err := f.store.Ready(f.Context()); err != nil {
		t.Errorf("Ready = %v, want nil", err)
	}
}

func (f *fixture) wantOrganization(org string, want bool) {
	f.Helper()
	if got, err := f.store.HasOrganization(f.Context(), org); err != nil || got != want {
		f.Errorf("HasOrganization(%.60q) = %v, %v, want %v, nil", org, got, err, want)
	}
}

func checkUser(t TB, h Harness) {
	f := open(t, h)
	now := f.clock.Now()
	res, created, err := f.store.AddUser(f.Context(), user("u"), acme, origin())
	if err != nil || !created {
		t.Fatalf("AddUser = created %v, %v, want true, nil", created, err)
	}
	want := record(1, now, now)
	f.same(res, want, "AddUser")
	f.lasting(func(when string) {
		f.clock.advance(1e9)
		f.wantOrganization(acme, true)
		f.same(f.peek(user("u"), acme), want, "%s: AddUser again", when)
		f.wantNone(user("u"), acme)

		res, created, err := f.store.AddUser(f.Context(), user("u"), globex, origin())
		f.wantErr(err, storage.ErrOtherOrganization, "%s: AddUser in another organisation", when)
		if created {
			t.Errorf("%s: AddUser in another organisation = %+v, created", when, res)
		}
		f.wantOrganization(globex, false) // what was refused leaves nothing behind
		f.same(f.peek(user("u"), acme), want, "%s: AddUser after the refusal", when)
	})
	f.same(f.remove(user("u"), acme), want, "Remove with nothing ever set")
}

func checkRegisterByUpload(t TB, h Harness) {
	f := open(t, h)
	now := f.clock.Now()
	up := upload(user("u"), acme, sample(1, 900))
	_, err := f.store.Put(f.Context(), up)
	f.wantErr(err, storage.ErrUserNotFound, "Put for an unknown user without Register")
	f.wantOrganization(acme, false)
	_, err = f.store.Get(f.Context(), user("u"), acme)
	f.wantErr(err, storage.ErrUserNotFound, "Get after that")

	up.Register = true
	res, err := f.store.Put(f.Context(), up)
	if err != nil {
		t.Fatalf("Put with Register = %v, want nil", err)
	}
	// Registration is change 1 and the upload change 2.
	f.same(res, record(2, now, now), "Put with Register")
	f.wantOrganization(acme, true)

	elsewhere := upload(user("u"), globex, sample(2, 900))
	elsewhere.Register = true
	_, err = f.store.Put(f.Context(), elsewhere)
	f.wantErr(err, storage.ErrOtherOrganization, "Put with Register in another organisation")
	f.lasting(func(when string) {
		f.wantOrganization(globex, false)
		f.wantPicture(user("u"), acme, up.Picture.Data)
		f.same(f.peek(user("u"), acme), record(2, now, now), "%s: AddUser", when)
	})

	f.clock.advance(1e6)
	res, err = f.store.Put(f.Context(), up) // Register makes no difference for a registered user
	if err != nil || res.Details.Sequence != 3 {
		t.Errorf("Put with Register for a known user = sequence %d, %v, want 3, nil", res.Details.Sequence, err)
	}
}

func checkUnknownUser(t TB, h Harness) {
	f := open(t, h)
	f.addUser(user("there"), acme)
	f.lasting(func(when string) {
		for _, u := range []storage.UserKey{
			user("nobody"), {Issuer: "https://elsewhere.test", ID: "there"}, {Issuer: user("").Issuer + "t", ID: "here"},
		} {
			f.wantRefused(u, acme, storage.ErrUserNotFound, storage.ErrUserNotFound, when)
		}
		f.wantOrganization(globex, false)
	})
}

func checkOtherOrganization(t TB, h Harness) {
	f := open(t, h)
	f.addUser(user("u"), acme)
	f.addUser(user("other"), globex)
	picture := sample(1, 2000)
	want := f.put(user("u"), acme, picture)
	f.lasting(func(when string) {
		f.wantRefused(user("u"), globex, storage.ErrOtherOrganization, storage.ErrOtherOrganization, when)
		// An engine may notice first that there is no such organisation at all, but not on Get.
		f.wantRefused(user("u"), "nowhere", storage.ErrOtherOrganization, storage.ErrOrganizationNotFound, when)
		f.wantPicture(user("u"), acme, picture)
		f.same(f.peek(user("u"), acme), want, "%s: AddUser after refusals", when)
	})
}

// wantRefused demands one of two errors of every method that looks a user up.
func (f *fixture) wantRefused(u storage.UserKey, org string, want, orElse error, when string) {
	f.Helper()
	_, err := f.store.Get(f.Context(), u, org)
	f.wantErr(err, want, "%s: Get(%.60q, %.60q)", when, u, org)
	info, err := f.store.Stat(f.Context(), u, org)
	f.wantErr(err, want, "%s: Stat(%.60q, %.60q)", when, u, org)
	if info != (storage.Info{}) {
		f.Errorf("%s: Stat(%.60q, %.60q) = %+v beside its error", when, u, org, info)
	}
	for name, call := range changes(u, org) {
		if err := call(f.Context(), f.store); !isOneOf(err, want, orElse) {
			f.Errorf("%s: %s(%.60q, %.60q) = %v, want %v", when, name, u, org, err, want)
		}
	}
}

func checkManyUsers(t TB, h Harness) {
	f := open(t, h)
	const users, rounds = 48, 6
	size := func(i, round int) int { return 1 + (i*7919+round*104729)%20_000 }
	seed := func(i, round int) uint64 { return uint64(i*100 + round) }
	together(users, func(i int) {
		u := user(fmt.Sprint("user-", i))
		if _, created, err := f.store.AddUser(f.Context(), u, acme, origin()); err != nil || !created {
			t.Errorf("AddUser(%d) = created %v, %v, want true, nil", i, created, err)
		}
		for round := range rounds {
			res, err := f.store.Put(f.Context(), upload(u, acme, sample(seed(i, round), size(i, round))))
			// Of every three calls two upload and one removes; each changes something.
			if want := uint64(2 + round + round/2); err != nil || res.Details.Sequence != want {
				t.Errorf("Put(%d), round %d = sequence %d, %v, want %d, nil", i, round, res.Details.Sequence, err, want)
			}
			if round%2 == 1 && round < rounds-1 {
				if _, err := f.store.Remove(f.Context(), removal(u, acme)); err != nil {
					t.Errorf("Remove(%d) = %v, want nil", i, err)
				}
			}
		}
	})
	for i := 0; i < users; i += 2 {
		f.remove(user(fmt.Sprint("user-", i)), acme)
	}
	f.lasting(func(string) {
		for i := range users {
			if u := user(fmt.Sprint("user-", i)); i%2 == 0 {
				f.wantNone(u, acme)
			} else {
				f.wantPicture(u, acme, sample(seed(i, rounds-1), size(i, rounds-1)))
			}
		}
	})
}
