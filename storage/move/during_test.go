package move

import (
	"context"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"testing"

	"example.org/avatard/storage"
)

// during is a move under way, in which a test acts between the steps.
type during struct {
	t      *testing.T
	engine *Engine
	done   chan Summary
}

// serveDuring opens a store that is being moved. act is called before each step of the target, on the move's goroutine.
func serveDuring(t *testing.T, from storage.Movable, to steps, act func(d *during, step string, page []storage.ArrivingUser)) *during {
	t.Helper()
	d := &during{t: t, done: make(chan Summary, 1)}
	ready := make(chan struct{})
	before := to.before
	to.before = func(step string, page []storage.ArrivingUser) error {
		<-ready
		if act(d, step, page); before != nil {
			return before(step, page)
		}
		return nil
	}
	s, err := Place(Options{From: from, To: to}, func(sum Summary) { d.done <- sum }).Open(t.Context(), storage.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d.engine = s.(*Engine)
	close(ready)
	return d
}

// free returns the first users who have a picture, from a number on, whose changes do not wait for those of a page.
func (d *during) free(page []storage.ArrivingUser, from, n int) (users []int) {
	return d.freeOf(page, from, n, func(user int) bool { return user%7 != 0 && user%11 != 0 })
}

// freeOf is free for users of whom something else is true.
func (d *during) freeOf(page []storage.ArrivingUser, from, n int, is func(user int) bool) (users []int) {
	held := map[int]bool{}
	for _, u := range page {
		held[d.engine.line(u.User)] = true
	}
	for ; len(users) < n; from++ {
		if !held[d.engine.line(userOf(from))] && is(from) {
			users = append(users, from)
		}
	}
	return users
}

// deletes are those of a test during a move.
type deletes struct {
	t       *testing.T
	bucket  string
	want    people
	page    int // of users who are copied
	removed []int
	inPage  chan error
}

// act deletes when some users are copied, some are being copied, and the records of others are read.
func (c *deletes) act(d *during, step string, users []storage.ArrivingUser) {
	if step == "finish" {
		if err := d.engine.Ready(context.Background()); !errors.Is(err, storage.ErrUnavailable) {
			c.t.Errorf("Ready between the two = %v, want %v", err, storage.ErrUnavailable)
		}
	}
	if step != "copy" {
		return
	}
	switch c.page++; c.page {
	case 2:
		c.remove(d, users)
		wantRefused(c.t, d.engine)
		if _, err := d.engine.Get(c.t.Context(), userOf(150), acme); err != nil {
			c.t.Errorf("Get during the move = %v", err)
		}
	case 5:
		wantCopiedSoFar(c.t, c.bucket, c.want, c.page, len(c.removed))
	}
}

func (c *deletes) remove(d *during, users []storage.ArrivingUser) {
	there := objects(c.t, c.bucket)
	copied := d.free(users, 1, 3)
	c.removed = append(copied, d.free(users, 200, 3)...) // whose records were read
	for _, n := range c.removed {
		if _, err := d.engine.Remove(c.t.Context(), removalOf(n)); err != nil {
			c.t.Errorf("Remove of %d = %v", n, err)
		}
	}
	if got := objects(c.t, c.bucket); got != there-len(copied) {
		c.t.Errorf("%d objects after %d removals of %d copied pictures", got, len(copied), there)
	}
	gone := d.freeOf(users, 200, 1, func(user int) bool { return c.want.pictures[userOf(user)] == nil })[0]
	res, err := d.engine.EraseUser(c.t.Context(), removalOf(gone))
	if err != nil {
		c.t.Error(err)
	}
	if again, err := d.engine.EraseUser(c.t.Context(), removalOf(gone)); again != res || err != nil {
		c.t.Errorf("EraseUser again = %+v, %v, want %+v", again, err, res)
	}
	c.want.gone = append(c.want.gone, userOf(gone))
	at := slices.IndexFunc(users, func(u storage.ArrivingUser) bool { return u.Picture != nil })
	n := int(users[at].Record.Number) - 1
	c.removed = append(c.removed, n)
	go func() { // waits for the page
		_, err := d.engine.Remove(context.Background(), removalOf(n))
		c.inPage <- err
	}()
}

// Deletes during a move are on both sides when they are answered: of users who were copied, of users who are just being copied, and of users
// whose record was read and not copied yet. Uploads and registrations are refused, reads go on.
func TestDeletesDuringAMove(t *testing.T) {
	from := dirOf(t)
	to, bucket := clusterOf(t, true)
	c := &deletes{t: t, bucket: bucket, want: fillStore(t, from, 300), inPage: make(chan error, 1)}
	d := serveDuring(t, from, steps{Receiver: to}, c.act)
	d.wait()
	if err := <-c.inPage; err != nil {
		t.Error(err)
	}
	for _, u := range append(slices.Clone(c.want.gone), usersOf(c.removed)...) {
		if _, err := d.engine.Get(t.Context(), u, acme); !errors.Is(err, storage.ErrNoPicture) && !errors.Is(err, storage.ErrUserNotFound) {
			t.Errorf("the picture of %s, removed during the move: %v", u.ID, err)
		}
		delete(c.want.pictures, u)
		delete(c.want.infos, u)
	}
	if got := objects(t, bucket); got != len(c.want.pictures) {
		t.Errorf("%d objects, want %d", got, len(c.want.pictures))
	}
	wantEnded(t, d.engine, c.want.gone)
	if _, err := d.engine.Put(t.Context(), storage.Upload{User: userOf(1), Organization: acme, By: by,
		Picture: storage.Picture{Format: storage.PNG, Data: []byte("new")}}); err != nil {
		t.Errorf("Put after the move = %v", err)
	}
	if err := d.engine.Close(); err != nil {
		t.Error(err)
	}
	opened(t, to, func(s storage.Engine) {
		is := peopleOf(t, s)
		for u, info := range c.want.infos {
			if u != userOf(1) && is.infos[u] != info {
				t.Errorf("%s: %+v, want %+v", u.ID, is.infos[u], info)
			}
		}
		wantReceipts(t, s, c.removed)
	})
}

// wantCopiedSoFar demands that the bucket has the pictures of the pages before this one, without those that were removed. The one who was copied
// while they were removed may have theirs still.
func wantCopiedSoFar(t *testing.T, bucket string, want people, page, removed int) {
	t.Helper()
	most := 1 - removed
	for n := range pageUsers * (page - 1) {
		if want.pictures[userOf(n)] != nil {
			most++
		}
	}
	if got := objects(t, bucket); got != most && got != most-1 {
		t.Errorf("%d objects, want at most %d: nobody's whose picture was removed before it was copied", got, most)
	}
}

func usersOf(numbers []int) (users []storage.UserKey) {
	for _, n := range numbers {
		users = append(users, userOf(n))
	}
	return users
}

// wait returns when the move has ended.
func (d *during) wait() {
	d.t.Helper()
	<-d.done
}

// wantRefused demands that a store takes nothing but removals.
func wantRefused(t *testing.T, s storage.Engine) {
	t.Helper()
	up := storage.Upload{User: userOf(1), Organization: acme, By: by, Picture: storage.Picture{Format: storage.PNG, Data: []byte("new")}}
	_, put := s.Put(t.Context(), up)
	_, _, add := s.AddUser(t.Context(), userOf(9999), acme, by)
	_, _, move := s.MoveUser(t.Context(), userOf(1), "empty", by)
	_, issuers := s.MoveIssuer(t.Context(), issuer, "https://new.test", by)
	_, org := s.AddOrganization(t.Context(), "new", by)
	_, end := s.EndOrganization(t.Context(), "empty", by)
	_, removed := s.RemoveOrganization(t.Context(), "empty", by)
	admin := by
	admin.Readmits = true
	_, lift := s.AddOrganization(t.Context(), "over", admin)
	for what, err := range map[string]error{"Put": put, "AddUser": add, "MoveUser": move, "MoveIssuer": issuers, "AddOrganization": org,
		"EndOrganization": end, "RemoveOrganization": removed, "AddOrganization of one that has ended": lift, "RoomForUploads": s.RoomForUploads(t.Context())} {
		if !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("%s during the move = %v, want %v", what, err, storage.ErrUnavailable)
		}
	}
	if created, err := s.AddOrganization(t.Context(), acme, by); created || err != nil {
		t.Errorf("an organisation that is there already: %v, %v", created, err)
	}
	if _, err := s.AddOrganization(t.Context(), "over", by); !errors.Is(err, storage.ErrOrganizationEnded) {
		t.Errorf("an organisation that has ended: %v, want %v", err, storage.ErrOrganizationEnded)
	}
	if ended, err := s.EndOrganization(t.Context(), "ending", by); ended || err != nil {
		t.Errorf("an organisation that is ending: %v, %v", ended, err)
	}
}

// wantReceipts demands that each of these users has a receipt, which is the newest one of theirs.
func wantReceipts(t *testing.T, s storage.Engine, users []int) {
	t.Helper()
	numbers, newest := map[int64]string{}, map[string]string{}
	err := s.Export(t.Context(), storage.ExportOptions{}, func(record storage.Record) error {
		switch r := record.(type) {
		case storage.UserRecord:
			numbers[r.Number] = r.ID
		case storage.ReceiptRecord:
			newest[numbers[r.User]] = hex.EncodeToString(r.Generation[:])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range users {
		res, err := s.Remove(t.Context(), removalOf(n))
		if n == 1 {
			continue // has a picture again
		}
		if err != nil || res.Receipt == "" || res.Receipt != newest[userOf(n).ID] {
			t.Errorf("user %d: %+v, %v, want receipt %s", n, res, err, newest[userOf(n).ID])
		}
	}
}

// A removal that the target does not do is not acknowledged, even if the source has done it. It is done on both sides when it is called again,
// and also when it is not.
func TestRemovalThatFailsOnOneSide(t *testing.T) {
	from := dirOf(t)
	to, bucket := clusterOf(t, false)
	want := fillStore(t, from, 100)
	all := maps.Clone(want.pictures)
	fail := true
	s := steps{Receiver: to, before: func(step string, _ []storage.ArrivingUser) error {
		if step == "follow" && fail {
			return errKilled
		}
		return nil
	}}
	page := 0
	d := serveDuring(t, from, s, func(d *during, step string, users []storage.ArrivingUser) {
		if step != "compare" {
			return
		}
		if page++; page != 2 {
			return
		}
		for i, n := range d.free(users, 1, 2) {
			fail = true
			if _, err := d.engine.Remove(t.Context(), removalOf(n)); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("Remove on one side = %v, want %v", err, storage.ErrUnavailable)
			}
			if i == 0 {
				fail = false
				if _, err := d.engine.Remove(t.Context(), removalOf(n)); err != nil {
					t.Error(err)
				}
			}
			delete(want.pictures, userOf(n))
			delete(want.infos, userOf(n))
		}
		if _, err := d.engine.Remove(t.Context(), removalOf(d.free(users, 99999, 1)[0])); err == nil {
			t.Error("Remove of nobody = nil")
		}
		fail = false
	})
	d.wait()
	if err := d.engine.Close(); err != nil {
		t.Error(err)
	}
	if got := objects(t, bucket); got != len(want.pictures) {
		t.Errorf("%d objects, want %d", got, len(want.pictures))
	}
	wantErased(t, from, all)
}

// A removal that is refused, behind one that was done on one side alone, leaves the user on the list of those who may differ.
func TestRefusalBehindARemovalOnOneSide(t *testing.T) {
	from := dirOf(t)
	to, bucket := clusterOf(t, false)
	want := fillStore(t, from, 100)
	fail := false
	s := steps{Receiver: to, before: func(step string, _ []storage.ArrivingUser) error {
		if step == "follow" && fail {
			return errKilled
		}
		return nil
	}}
	page, n := 0, 0
	d := serveDuring(t, from, s, func(d *during, step string, users []storage.ArrivingUser) {
		if step != "compare" {
			return
		}
		if page++; page != 2 {
			return
		}
		n, fail = d.free(users, 1, 1)[0], true
		if _, err := d.engine.Remove(t.Context(), removalOf(n)); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("Remove on one side = %v, want %v", err, storage.ErrUnavailable)
		}
		fail = false
		refused := removalOf(n)
		refused.Organization = "other"
		if _, err := d.engine.Remove(t.Context(), refused); !errors.Is(err, storage.ErrOtherOrganization) {
			t.Errorf("Remove of another organisation = %v, want %v", err, storage.ErrOtherOrganization)
		}
	})
	d.wait()
	if _, err := d.engine.Get(t.Context(), userOf(n), acme); !errors.Is(err, storage.ErrNoPicture) {
		t.Errorf("Get after the move = %v, want %v", err, storage.ErrNoPicture)
	}
	if err := d.engine.Close(); err != nil {
		t.Error(err)
	}
	if got := objects(t, bucket); got != len(want.pictures)-1 {
		t.Errorf("%d objects, want %d", got, len(want.pictures)-1)
	}
}
