package storagetest

import (
	"errors"

	"example.org/avatard/storage"
)

// After a fault every answer is either true or says that the store is unavailable; the same call again finishes what was begun, and
// its receipt is the one on record.
func checkResume(t TB, h Harness) {
	if h.Break == nil {
		return
	}
	f := open(t, h)
	alice, bob := user("alice"), user("bob")
	f.addUser(alice, acme)
	f.addUser(bob, acme)
	f.put(alice, acme, sample(1, 5000))
	f.put(bob, acme, sample(2, 5000))
	heal := h.Break(f.state)
	_, err := f.store.Remove(f.Context(), removal(alice, acme))
	f.wantErr(err, storage.ErrUnavailable, "Remove that cannot erase")
	if p, err := f.store.Get(f.Context(), alice, acme); err == nil {
		f.Errorf("Get after a Remove that could not be finished = %d bytes, want an error", len(p.Data))
	}
	_, err = f.store.Put(f.Context(), upload(bob, acme, sample(3, 5000)))
	f.wantErr(err, storage.ErrUnavailable, "Put that cannot erase")
	heal()
	res := f.remove(alice, acme)
	if res.Receipt == "" || res.Details.Sequence != 3 {
		f.Errorf("Remove that resumes = %+v, want a receipt and sequence 3", res)
	}
	f.put(bob, acme, sample(3, 5000))
	f.lasting(func(string) {
		f.wantNone(alice, acme)
		f.same(f.peek(alice, acme), res, "the record after a Remove that was resumed")
		f.wantPicture(bob, acme, sample(3, 5000))
	})
}

// checkResumeErase: the end of a user whose picture cannot be erased is not acknowledged, has no receipt yet, and is resumed by the same
// call.
func checkResumeErase(t TB, h Harness) {
	if h.Break == nil {
		return
	}
	f := open(t, h)
	carol := user("carol")
	f.addUser(carol, acme)
	f.addUser(user("other"), globex)
	f.put(carol, acme, sample(1, 5000))
	generation := f.wantPicture(carol, acme, sample(1, 5000)).Generation
	heal := h.Break(f.state)
	for _, rm := range []storage.Removal{removal(carol, acme), {User: carol, AnyOrganization: true, By: origin()}} {
		_, err := f.store.EraseUser(f.Context(), rm)
		f.wantErr(err, storage.ErrUnavailable, "EraseUser that cannot erase")
		if p, err := f.store.Get(f.Context(), carol, acme); err == nil {
			t.Errorf("Get after an EraseUser that could not be finished = %d bytes, want an error", len(p.Data))
		}
	}
	if list := f.listedReceipts(storage.ReceiptQuery{User: carol}, nil); len(list) > 0 {
		t.Errorf("receipts of an erasure that is not finished: %+v", list)
	}
	_, err := f.store.Receipt(f.Context(), generation)
	f.wantErr(err, storage.ErrReceiptNotFound, "Receipt of an erasure that is not finished")
	heal()
	res := f.eraseUser(removal(carol, acme))
	if res.Receipt != generation || res.Details.Sequence != 4 {
		t.Errorf("EraseUser that resumes = %+v, want receipt %s and sequence 4", res, generation)
	}
	f.lasting(func(when string) {
		f.wantEnded(carol, res, globex, when)
		if list := f.listedReceipts(storage.ReceiptQuery{User: carol}, nil); len(list) != 1 || list[0].ID != generation || list[0].By != origin() {
			t.Errorf("%s: receipts after an EraseUser that was resumed: %+v", when, list)
		}
	})
}

// Nothing is left of a picture that was removed or replaced in all that the engine keeps. The search finds one that was not removed, else
// it would prove nothing.
func checkBytesGone(t TB, h Harness) {
	if h.Pieces == nil {
		return
	}
	f := open(t, h)
	pattern := NewPattern(1)
	const size = 9000
	keys := []storage.UserKey{user("stays"), user("removed"), user("replaced"), user("leaves")}
	for i, key := range keys {
		f.addUser(key, acme)
		f.put(key, acme, pattern.Picture(uint32(i), size))
	}
	f.remove(keys[1], acme)
	f.put(keys[2], acme, pattern.Picture(4, size))
	f.eraseUser(removal(keys[3], acme))
	look := func(when string) {
		found := map[uint32]bool{}
		pieces, err := h.Pieces(f.state, pattern)
		if err != nil {
			f.Fatalf("%s: looking for bytes: %v", when, err)
		}
		for _, piece := range pieces {
			found[piece.Number] = true
		}
		for number, want := range map[uint32]bool{0: true, 1: false, 2: false, 3: false, 4: true} {
			if found[number] != want {
				f.Errorf("%s: bytes of picture %d found: %v, want %v", when, number, found[number], want)
			}
		}
	}
	look("at once")
	f.lasting(look)
}

// Answered changes outlive the process: when another process opens the data of one that was killed, removed pictures are gone and
// acknowledged uploads are there.
func checkKilled(t TB, h Harness) {
	if h.Kill == nil {
		return
	}
	f := open(t, h)
	pattern := NewPattern(2)
	stays, goes := user("stays"), user("goes")
	f.addUser(stays, acme)
	f.addUser(goes, acme)
	f.put(goes, acme, pattern.Picture(1, 9000))
	f.put(stays, acme, pattern.Picture(2, 9000))
	res := f.remove(goes, acme)
	ends := user("ends")
	f.addUser(ends, acme)
	f.put(ends, acme, pattern.Picture(3, 9000))
	f.addUser(user("other"), globex)
	f.endOrganization(globex, true, nil, "before a kill")
	end := f.eraseUser(removal(ends, acme))
	left, err := h.Kill(f.state)
	if err != nil {
		f.Fatalf("Kill: %v", err)
	}
	if err := f.store.Close(); err != nil {
		f.Fatalf("Close = %v, want nil", err)
	}
	f.state = left
	f.openAgain()
	if _, err := f.store.Get(f.Context(), goes, acme); !errors.Is(err, storage.ErrNoPicture) {
		f.Errorf("Get of a removed picture after a kill = %v, want %v", err, storage.ErrNoPicture)
	}
	f.same(f.peek(goes, acme), res, "the record after a kill")
	f.wantPicture(stays, acme, pattern.Picture(2, 9000))
	f.wantEnded(ends, end, globex, "after a kill")
	f.wantState(globex, storage.Ending, "after a kill")
	if _, err := f.store.Receipt(f.Context(), end.Receipt); err != nil {
		f.Errorf("Receipt after a kill = %v, want nil", err)
	}
	if h.Pieces == nil {
		return
	}
	pieces, err := h.Pieces(left, pattern)
	if err != nil {
		f.Fatalf("looking for bytes: %v", err)
	}
	for _, piece := range pieces {
		if piece.Number != 2 {
			f.Errorf("of the removed picture there is %v", piece)
		}
	}
}
