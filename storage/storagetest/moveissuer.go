package storagetest

import "example.org/avatard/storage"

const newIssuer, thirdIssuer = "https://new.example", "https://third.example"

// checkMoveIssuer: all users of an issuer become the other's, with record, picture and receipts, and no two users are mixed.
func checkMoveIssuer(t TB, h Harness) {
	f := open(t, h)
	m := newIssuerMoves(f)
	old := m.user.Issuer
	m.move(old, thirdIssuer, false, storage.ErrIssuerInUse)
	m.move("https://nobody.example", newIssuer, false, storage.ErrIssuerNotFound)
	m.move(old, old, false, storage.ErrInvalid)
	f.same(f.peek(m.user, acme), m.want, "AddUser after refusals")

	_, err := f.store.Stat(f.Context(), under(newIssuer, m.user), acme) // looked for before, and not there
	f.wantErr(err, storage.ErrUserNotFound, "Stat before the move")
	m.move(old, newIssuer, true, nil)
	m.move(old, newIssuer, false, nil)
	m.check(newIssuer, old)
	m.move(newIssuer, old, true, nil) // and back
	m.check(old, newIssuer)
	m.move(old, newIssuer, true, nil)
	// The old issuer may have users again. They are other people.
	f.addUser(m.user, globex)
	f.put(m.user, globex, sample(5, 700))
	m.move(newIssuer, old, false, storage.ErrIssuerInUse)
	f.wantPicture(m.user, globex, sample(5, 700))
	removed := f.remove(under(newIssuer, m.user), acme)
	if removed.Details.Sequence != m.want.Details.Sequence+1 || removed.Receipt == "" || removed.Receipt == m.want.Receipt {
		t.Errorf("Remove after the move = %+v after %+v, want one change and a new receipt", removed, m.want)
	}
	f.lasting(func(string) {
		f.wantNone(under(newIssuer, m.user), acme)
		f.wantPicture(m.user, globex, sample(5, 700))
	})
}

// issuerMoves are moves of one issuer's users: one with a picture and a receipt, and one without. A stranger has the id of the first.
type issuerMoves struct {
	*fixture
	user, other, stranger storage.UserKey
	data                  []byte
	generation            string
	want, strangers       storage.Result
}

func newIssuerMoves(f *fixture) *issuerMoves {
	m := &issuerMoves{fixture: f, user: user("u"), other: user("other"), stranger: under(thirdIssuer, user("u")), data: sample(2, 900)}
	f.addUser(m.user, acme)
	f.addUser(m.other, globex)
	f.addUser(m.stranger, acme)
	m.strangers = f.put(m.stranger, acme, sample(8, 600))
	f.put(m.user, acme, sample(1, 3000))
	f.put(m.user, acme, m.data) // with a receipt of the one before
	m.want = f.peek(m.user, acme)
	m.generation = f.wantPicture(m.user, acme, m.data).Generation
	return m
}

// under returns the user of that id whose issuer is the one given.
func under(issuer string, u storage.UserKey) storage.UserKey {
	return storage.UserKey{Issuer: issuer, ID: u.ID}
}

func (m *issuerMoves) move(from, to string, wantMoved bool, wantErr error) {
	got, err := m.store.MoveIssuer(m.Context(), from, to, origin())
	if wantErr != nil {
		m.wantErr(err, wantErr, "MoveIssuer from %s to %s", from, to)
	} else if err != nil || got != wantMoved {
		m.Errorf("MoveIssuer from %s to %s = %v, %v, want %v, nil", from, to, got, err, wantMoved)
	}
}

// check demands that the users are those of issuer, unchanged, and that before has them no more.
func (m *issuerMoves) check(issuer, before string) {
	m.lasting(func(when string) {
		m.same(m.peek(under(issuer, m.user), acme), m.want, "%s: AddUser in %s", when, issuer)
		if p := m.wantPicture(under(issuer, m.user), acme, m.data); p.Generation != m.generation {
			m.Errorf("%s: generation %s, want %s", when, p.Generation, m.generation)
		}
		m.wantNone(under(issuer, m.other), globex)
		_, err := m.store.Stat(m.Context(), under(before, m.user), acme)
		m.wantErr(err, storage.ErrUserNotFound, "%s: Stat of a user of the issuer before", when)
		m.same(m.peek(m.stranger, acme), m.strangers, "%s: AddUser of somebody else's", when)
		m.wantPicture(m.stranger, acme, sample(8, 600))
	})
}

// checkMoveIssuerEnds: who has ended stays so when the address of the issuer changes, and so does who had ended at the new address.
func checkMoveIssuerEnds(t TB, h Harness) {
	f := open(t, h)
	stays, gone, elsewhere := user("stays"), user("gone"), under(newIssuer, user("elsewhere"))
	f.addUser(user("other"), globex)
	for i, u := range []storage.UserKey{stays, gone, elsewhere} {
		f.addUser(u, acme)
		f.put(u, acme, sample(uint64(i), 300))
	}
	want, wantElsewhere := f.eraseUser(removal(gone, acme)), f.eraseUser(removal(elsewhere, acme))
	receipt, err := f.store.Receipt(f.Context(), want.Receipt)
	if err != nil {
		t.Fatalf("Receipt = %v, want nil", err)
	}
	if moved, err := f.store.MoveIssuer(f.Context(), gone.Issuer, newIssuer, origin()); err != nil || !moved {
		t.Fatalf("MoveIssuer = %v, %v, want true, nil", moved, err)
	}
	receipt.User = under(newIssuer, gone)
	f.lasting(func(when string) {
		f.wantPicture(under(newIssuer, stays), acme, sample(0, 300))
		f.wantEnded(under(newIssuer, gone), want, globex, when)
		f.wantEnded(elsewhere, wantElsewhere, globex, when)
		if list := f.listedReceipts(storage.ReceiptQuery{User: receipt.User}, nil); len(list) != 1 || list[0] != receipt {
			t.Errorf("%s: receipts of a user whose issuer has moved: %+v, want %+v", when, list, receipt)
		}
		if list := f.listedReceipts(storage.ReceiptQuery{User: gone}, nil); len(list) > 0 {
			t.Errorf("%s: receipts of the issuer that has moved: %+v", when, list)
		}
	})
	// At the old address they would be other people.
	if res := f.addUser(gone, acme); res.Details.Sequence != 1 || res.Receipt != "" {
		t.Errorf("AddUser at the old address = %+v, want a new user", res)
	}
}
