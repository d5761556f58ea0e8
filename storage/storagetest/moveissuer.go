package storagetest

import "avatard/storage"

// checkMoveIssuer: all users of an issuer are the other's, with all that is theirs, and nobody's records are mixed.
func checkMoveIssuer(t TB, h Harness) {
	f := open(t, h)
	const to, third = "https://new.example", "https://third.example"
	u, other := user("u"), user("other")
	moved := func(u storage.UserKey, issuer string) storage.UserKey {
		return storage.UserKey{Issuer: issuer, ID: u.ID}
	}
	f.addUser(u, acme)
	f.addUser(other, globex)
	stranger := storage.UserKey{Issuer: third, ID: "u"}
	f.addUser(stranger, acme)
	theirs := f.put(stranger, acme, sample(8, 600))
	f.put(u, acme, sample(1, 3000))
	f.put(u, acme, sample(2, 900)) // with a receipt of the one before
	data := sample(2, 900)
	want := f.peek(u, acme)
	generation := f.wantPicture(u, acme, data).Generation
	move := func(from, to string, wantMoved bool, wantErr error) {
		got, err := f.store.MoveIssuer(f.Context(), from, to, origin())
		if wantErr != nil {
			f.wantErr(err, wantErr, "MoveIssuer from %s to %s", from, to)
		} else if err != nil || got != wantMoved {
			t.Errorf("MoveIssuer from %s to %s = %v, %v, want %v, nil", from, to, got, err, wantMoved)
		}
	}
	move(u.Issuer, third, false, storage.ErrIssuerInUse)
	move("https://nobody.example", to, false, storage.ErrIssuerNotFound)
	move(u.Issuer, u.Issuer, false, storage.ErrInvalid)
	f.same(f.peek(u, acme), want, "AddUser after refusals")

	check := func(issuer, gone string) {
		f.lasting(func(when string) {
			f.same(f.peek(moved(u, issuer), acme), want, "%s: AddUser in %s", when, issuer)
			if p := f.wantPicture(moved(u, issuer), acme, data); p.Generation != generation {
				t.Errorf("%s: generation %s, want %s", when, p.Generation, generation)
			}
			f.wantNone(moved(other, issuer), globex)
			_, err := f.store.Stat(f.Context(), moved(u, gone), acme)
			f.wantErr(err, storage.ErrUserNotFound, "%s: Stat of a user of the issuer before", when)
			f.same(f.peek(stranger, acme), theirs, "%s: AddUser of somebody else's", when)
			f.wantPicture(stranger, acme, sample(8, 600))
		})
	}
	_, err := f.store.Stat(f.Context(), moved(u, to), acme) // looked for before, and not there
	f.wantErr(err, storage.ErrUserNotFound, "Stat before the move")
	move(u.Issuer, to, true, nil)
	move(u.Issuer, to, false, nil)
	check(to, u.Issuer)
	move(to, u.Issuer, true, nil) // and back
	check(u.Issuer, to)
	move(u.Issuer, to, true, nil)
	// The old issuer may have users of its own again, who are others.
	f.addUser(u, globex)
	f.put(u, globex, sample(5, 700))
	move(to, u.Issuer, false, storage.ErrIssuerInUse)
	f.wantPicture(u, globex, sample(5, 700))
	removed := f.remove(moved(u, to), acme)
	if removed.Details.Sequence != want.Details.Sequence+1 || removed.Receipt == "" || removed.Receipt == want.Receipt {
		t.Errorf("Remove after the move = %+v after %+v, want one change and a new receipt", removed, want)
	}
	f.lasting(func(string) {
		f.wantNone(moved(u, to), acme)
		f.wantPicture(u, globex, sample(5, 700))
	})
}
