package storagetest

import (
	"time"

	"example.org/avatard/storage"
)

// checkMove: a move changes the organisation and counts once, nothing else.
func checkMove(t TB, h Harness) {
	f := open(t, h)
	u, data := user("u"), sample(1, 5000)
	created := f.clock.Now()
	f.addUser(user("other"), globex)
	f.addUser(u, acme)
	f.put(u, acme, sample(2, 900))
	want := f.put(u, acme, data)
	generation := f.wantPicture(u, acme, data).Generation

	_, moved, err := f.store.MoveUser(f.Context(), u, "nowhere", origin())
	f.wantErr(err, storage.ErrOrganizationNotFound, "MoveUser to an organisation nobody registered")
	_, again, err := f.store.MoveUser(f.Context(), user("nobody"), globex, origin())
	f.wantErr(err, storage.ErrUserNotFound, "MoveUser of an unknown user")
	if moved || again {
		t.Errorf("MoveUser that was refused = moved %v and %v, want false", moved, again)
	}
	f.wantOrganization("nowhere", false)
	f.same(f.peek(u, acme), want, "AddUser after refusals")

	from := acme
	for i, to := range []string{acme, globex, globex, acme, globex} {
		f.clock.advance(time.Second)
		if to != from {
			want.Details = record(want.Details.Sequence+1, created, f.clock.Now()).Details
			want.Details.Organization = to
		}
		got, moved, err := f.store.MoveUser(f.Context(), u, to, origin())
		if err != nil || moved != (to != from) {
			t.Errorf("move %d to %s from %s = moved %v, %v, want %v, nil", i+1, to, from, moved, err, to != from)
		}
		f.same(got, want, "move %d", i+1)
		from = to
	}
	f.lasting(func(when string) {
		f.same(f.peek(u, globex), want, "%s: AddUser", when)
		info, err := f.store.Stat(f.Context(), u, globex)
		if err != nil || info.Generation != generation || info.Details.Sequence != want.Details.Sequence || info.Details.Organization != globex {
			t.Errorf("%s: Stat = %+v, %v, want %+v and generation %s", when, info, err, want.Details, generation)
		}
		if p := f.wantPicture(u, globex, data); p.Generation != generation {
			t.Errorf("%s: generation %s after the moves, want %s", when, p.Generation, generation)
		}
		f.wantRefused(u, acme, storage.ErrOtherOrganization, storage.ErrOtherOrganization, when)
		f.wantNone(user("other"), globex)
	})
	f.put(u, globex, sample(3, 700))
	removed := f.remove(u, globex)
	if removed.Details.Organization != globex || removed.Details.Sequence != want.Details.Sequence+2 || removed.Receipt == want.Receipt {
		t.Errorf("upload and Remove after the moves = %+v after %+v, want two changes and a new receipt", removed, want)
	}
	f.lasting(func(string) { f.wantNone(u, globex) })
}

// checkRemoveAnywhere: a removal that leaves the organisation open finds the user where they are on record, and says
// where that was.
func checkRemoveAnywhere(t TB, h Harness) {
	f := open(t, h)
	u := user("u")
	f.addUser(u, acme)
	f.addUser(user("other"), globex)
	kept := sample(9, 800)
	f.put(user("other"), globex, kept)
	for i, named := range []string{globex, "", "nowhere", "\xff", acme} {
		f.put(u, acme, sample(uint64(i), 3000))
		before := f.peek(u, acme)
		rm := storage.Removal{User: u, Organization: named, AnyOrganization: true, By: origin()}
		got, err := f.store.Remove(f.Context(), rm)
		if err != nil {
			t.Fatalf("Remove anywhere, naming %q = %v, want nil", named, err)
		}
		f.wantNone(u, acme)
		if got.Details.Organization != acme || got.Details.Sequence != before.Details.Sequence+1 || got.Receipt == "" {
			t.Errorf("Remove anywhere, naming %q = %+v after %+v, want one change in %s", named, got, before, acme)
		}
		again, err := f.store.Remove(f.Context(), rm)
		if err != nil || !sameResult(again, got) {
			t.Errorf("Remove anywhere again = %+v, %v, want %+v, nil", again, err, got)
		}
	}
	rm := storage.Removal{User: user("nobody"), Organization: acme, AnyOrganization: true, By: origin()}
	_, err := f.store.Remove(f.Context(), rm)
	f.wantErr(err, storage.ErrUserNotFound, "Remove anywhere of an unknown user")
	f.lasting(func(string) {
		f.wantOrganization("nowhere", false)
		f.wantNone(u, acme)
		f.wantPicture(user("other"), globex, kept)
	})
}
