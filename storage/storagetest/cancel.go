package storagetest

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"example.org/avatard/storage"
)

// checkEndedContext: a call whose context ended before does nothing and returns the context's error.
func checkEndedContext(t TB, h Harness) {
	f := open(t, h)
	u := user("u")
	f.addUser(u, acme)
	const other = "other"
	f.addUser(user("v"), other)
	kept := sample(1, 5000)
	want := f.put(u, acme, kept)
	f.clock.advance(1e9)
	late, cancel := context.WithDeadline(f.Context(), time.Unix(1, 0))
	defer cancel()
	for _, c := range []struct {
		ctx  context.Context
		want error
	}{{ended(f.Context()), context.Canceled}, {late, context.DeadlineExceeded}} {
		for name, call := range changes(u, acme) {
			f.wantErr(call(c.ctx, f.store), c.want, "%s with an ended context", name)
		}
		_, err := f.store.AddOrganization(c.ctx, globex, origin())
		f.wantErr(err, c.want, "AddOrganization with an ended context")
		_, _, err = f.store.AddUser(c.ctx, user("new"), globex, origin())
		f.wantErr(err, c.want, "AddUser with an ended context")
		_, _, err = f.store.MoveUser(c.ctx, u, other, origin())
		f.wantErr(err, c.want, "MoveUser with an ended context")
		_, err = f.store.MoveIssuer(c.ctx, u.Issuer, "https://new.example", origin())
		f.wantErr(err, c.want, "MoveIssuer with an ended context")
		_, err = f.store.EraseUser(c.ctx, removal(u, acme))
		f.wantErr(err, c.want, "EraseUser with an ended context")
		_, err = f.store.EndOrganization(c.ctx, acme, origin())
		f.wantErr(err, c.want, "EndOrganization with an ended context")
		_, err = f.store.RemoveOrganization(c.ctx, other, origin())
		f.wantErr(err, c.want, "RemoveOrganization with an ended context")
		for name, call := range reads(u, acme) {
			if err := call(c.ctx, f.store); name != "Get" && name != "Stat" && name != "Ready" && !isOneOf(err, c.want) {
				t.Errorf("%s with an ended context = %v, want %v", name, err, c.want)
			}
		}
		up := upload(user("new"), globex, sample(2, 100))
		up.Register = true
		_, err = f.store.Put(c.ctx, up)
		f.wantErr(err, c.want, "Put with Register and an ended context")
	}
	f.lasting(func(when string) {
		f.wantPicture(u, acme, kept)
		f.same(f.peek(u, acme), want, "%s: AddUser", when)
		f.wantOrganization(globex, false)
		f.wantState(acme, storage.Registered, when)
		_, err := f.store.Get(f.Context(), user("new"), globex)
		f.wantErr(err, storage.ErrUserNotFound, "%s: Get of a user whose registration was cancelled", when)
	})
}

// checkAbandonedErase: the end of a user whose caller left is resumed by the next one, counts once, and has one tombstone.
func checkAbandonedErase(t TB, h Harness) {
	f := open(t, h)
	took := 3 * time.Millisecond
	for i := range 24 {
		u := user(fmt.Sprint("user-", i))
		f.addUser(u, acme)
		f.put(u, acme, sample(uint64(i), 20_000))
		ctx, cancel := leaving(f.Context(), i, took)
		began := time.Now()
		first, err := f.store.EraseUser(ctx, removal(u, acme))
		cancel()
		if err != nil && !isOneOf(err, context.DeadlineExceeded) {
			t.Fatalf("round %d: EraseUser with a context that ends = %v, want nil or %v", i, err, context.DeadlineExceeded)
		}
		if err == nil {
			took = time.Since(began)
		}
		if i%12 == 11 {
			f.reopen()
		}
		second := f.eraseUser(removal(u, acme))
		if second.Details.Sequence != 4 || second.Receipt == "" {
			t.Errorf("round %d: two calls of EraseUser led to %+v, want sequence 4 and a receipt", i, second)
		}
		if err == nil {
			f.same(second, first, "round %d: second EraseUser", i)
		}
		_, err = f.store.Put(f.Context(), upload(u, acme, sample(1, 100)))
		f.wantErr(err, storage.ErrUserEnded, "round %d: Put after it", i)
	}
}

// leaving returns a context that ends within the next call, which takes about as long as the one before took: the higher the round, the
// later. Now and then it ends before the call, or after it. No verdict depends on that.
func leaving(ctx context.Context, round int, took time.Duration) (context.Context, context.CancelFunc) {
	step := round % 12
	return context.WithTimeout(ctx, took*time.Duration(step*step)/100)
}

// checkAbandonedUpload: an upload whose caller left is done or not done. It never takes effect after a delete that was called later has
// returned.
func checkAbandonedUpload(t TB, h Harness) {
	f := open(t, h)
	u := user("u")
	last := f.addUser(u, acme)
	for i := range 120 {
		before := sample(uint64(2*i), 3000)
		began := time.Now()
		start := f.put(u, acme, before)
		took := time.Since(began)
		if start.Details.Sequence != last.Details.Sequence+1 {
			t.Errorf("round %d: Put = sequence %d after %d", i, start.Details.Sequence, last.Details.Sequence)
		}
		data := sample(uint64(2*i+1), 40_000)
		mine := bytes.Clone(data)
		ctx, cancel := leaving(f.Context(), i, took)
		_, err := f.store.Put(ctx, upload(u, acme, mine))
		cancel()
		clear(mine) // the caller's slice is the caller's again, however the call ended
		if err != nil && !isOneOf(err, context.DeadlineExceeded) {
			t.Fatalf("round %d: Put with a context that ends = %v, want nil or %v", i, err, context.DeadlineExceeded)
		}
		got, getErr := f.store.Get(f.Context(), u, acme)
		if getErr != nil || !bytes.Equal(got.Data, data) && (err == nil || !bytes.Equal(got.Data, before)) {
			t.Fatalf("round %d: Get after an upload that returned %v = %d bytes, %v, want a whole picture", i, err, len(got.Data), getErr)
		}
		last = f.remove(u, acme)
		f.wantNone(u, acme)
		switch made := last.Details.Sequence - start.Details.Sequence; {
		case err == nil && made != 2, made != 1 && made != 2:
			t.Errorf("round %d: upload that returned %v and Remove made %d changes", i, err, made)
		}
		if i%30 == 29 {
			f.reopen()
		}
		f.wantNone(u, acme)
		f.same(f.peek(u, acme), last, "round %d: AddUser", i)
	}
}

// checkAbandonedRemove: a delete whose caller left is resumed by the next one and counts once.
func checkAbandonedRemove(t TB, h Harness) {
	f := open(t, h)
	u := user("u")
	f.addUser(u, acme)
	took := time.Millisecond
	for i := range 120 {
		start := f.put(u, acme, sample(uint64(i), 20_000))
		ctx, cancel := leaving(f.Context(), i, took)
		began := time.Now()
		first, err := f.store.Remove(ctx, removal(u, acme))
		cancel()
		if err != nil && !isOneOf(err, context.DeadlineExceeded) {
			t.Fatalf("round %d: Remove with a context that ends = %v, want nil or %v", i, err, context.DeadlineExceeded)
		}
		if err == nil {
			took = time.Since(began)
			f.wantNone(u, acme)
		}
		if i%30 == 29 {
			f.reopen()
		}
		second := f.remove(u, acme)
		f.wantNone(u, acme)
		if got := second.Details.Sequence - start.Details.Sequence; got != 1 {
			t.Errorf("round %d: two calls of Remove made %d changes, want 1", i, got)
		}
		if second.Receipt == "" || second.Receipt == start.Receipt {
			t.Errorf("round %d: receipt = %q after %q, want a new one", i, second.Receipt, start.Receipt)
		}
		if err == nil {
			f.same(second, first, "round %d: second Remove", i)
		}
	}
}
