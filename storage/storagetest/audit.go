package storagetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.org/avatard/storage"
)

// said is a trail that the suite knows.
type said struct {
	*fixture
	records []storage.AuditRecord // without numbers
}

func (s *said) say(action, result, org, target, caller string, refusal bool) {
	from := by(caller)
	s.records = append(s.records, storage.AuditRecord{Time: s.clock.Now().UnixMicro(), Action: action, Result: result, Caller: from.Caller,
		CallerOrganization: from.CallerOrganization, Organization: org, Target: target, Request: from.RequestID, Refusal: refusal})
}

// did notes a change that was made now, and moves the clock.
func (s *said) did(err error, actions ...[3]string) {
	s.Helper()
	if err != nil {
		s.Fatalf("%v = %v, want nil", actions, err)
	}
	for _, a := range actions {
		s.say(a[0], storage.AuditDone, a[1], a[2], "admin", false)
	}
	s.clock.advance(time.Second)
}

// refused has a refusal recorded, when the store is closed at the latest.
func (s *said) refused(action, target, org, reason string) {
	s.store.RecordRefusal(storage.Refusal{By: by("stranger"), Organization: org, Target: target, Action: action, Reason: reason})
	s.reopen()
	s.say(action, reason, org, target, "stranger", true)
	s.clock.advance(time.Second)
}

// sayTrail makes every change there is, and some refusals in between.
func (f *fixture) sayTrail() *said {
	s := &said{fixture: f}
	ctx, ann, bob, from := f.Context(), user("ann"), user("bob"), by("admin")
	up := upload(bob, acme, sample(1, 200))
	up.Register, up.By = true, from
	rm := storage.Removal{User: bob, Organization: acme, By: from}

	_, err := f.store.AddOrganization(ctx, globex, from)
	s.did(err, [3]string{storage.ActionRegister, globex, ""})
	_, _, err = f.store.AddUser(ctx, ann, acme, from)
	s.did(err, [3]string{storage.ActionRegister, acme, "ann"})
	s.refused("DELETE /x", "ann", acme, "AUTH-5mWD2")
	_, err = f.store.Put(ctx, up)
	s.did(err, [3]string{storage.ActionRegister, acme, "bob"}, [3]string{storage.ActionUpload, acme, "bob"})
	_, err = f.store.Put(ctx, up)
	s.did(err, [3]string{storage.ActionUpload, acme, "bob"})
	_, err = f.store.Remove(ctx, rm)
	s.did(err, [3]string{storage.ActionRemove, acme, "bob"})
	_, err = f.store.Remove(ctx, rm) // changes nothing
	s.did(err)
	_, _, err = f.store.MoveUser(ctx, ann, globex, from)
	s.did(err, [3]string{storage.ActionMoveFrom, acme, "ann"}, [3]string{storage.ActionMoveTo, globex, "ann"})
	s.refused("upload", "", globex, "AUTHZ-cdgFk")
	_, err = f.store.Put(ctx, up)
	s.did(err, [3]string{storage.ActionUpload, acme, "bob"})
	s.sayEnds(ann, rm)
	return s
}

// sayEnds ends the user of a removal and acme, and gives ann to another issuer.
func (s *said) sayEnds(ann storage.UserKey, rm storage.Removal) {
	ctx := s.Context()
	_, err := s.store.EndOrganization(ctx, acme, rm.By)
	s.did(err, [3]string{storage.ActionEndOrganization, acme, ""})
	_, err = s.store.EndOrganization(ctx, acme, rm.By) // changes nothing
	s.did(err)
	_, err = s.store.EraseUser(ctx, rm)
	s.did(err, [3]string{storage.ActionRemove, acme, "bob"}, [3]string{storage.ActionEraseUser, acme, "bob"})
	_, err = s.store.EraseUser(ctx, rm) // changes nothing
	s.did(err)
	_, err = s.store.RemoveOrganization(ctx, acme, rm.By)
	s.did(err, [3]string{storage.ActionRemoveOrganization, acme, ""})
	_, _, err = s.store.AddUser(ctx, rm.User, globex, rm.By)
	s.did(err, [3]string{storage.ActionRegister, globex, "bob"})
	_, err = s.store.EraseUser(ctx, storage.Removal{User: rm.User, AnyOrganization: true, By: rm.By})
	s.did(err, [3]string{storage.ActionEraseUser, globex, "bob"})
	_, err = s.store.MoveIssuer(ctx, ann.Issuer, newIssuer, rm.By)
	s.did(err, [3]string{storage.ActionIssuerMoveFrom, "", ann.Issuer}, [3]string{storage.ActionIssuerMoveTo, "", newIssuer})
}

// checkTrail: every change and every refusal is in the trail, once, in their order, and lists find them.
func checkTrail(t TB, h Harness) {
	f := open(t, h)
	if page, err := f.store.ListAudit(f.Context(), storage.AuditQuery{}); err != nil || len(page.Records) > 0 || page.More {
		t.Errorf("ListAudit of nothing = %+v, %v", page, err)
	}
	s := f.sayTrail()
	early, late := time.UnixMicro(s.records[3].Time), time.UnixMicro(s.records[9].Time)
	queries := []storage.AuditQuery{{}, {Organization: acme}, {Organization: globex}, {Organization: "nowhere"}, {Target: "bob"}, {Target: "ann"}, {Target: user("").Issuer},
		{Target: "bo"}, {Caller: "admin"}, {Caller: "stranger"}, {Caller: "nobody"}, {Action: storage.ActionUpload}, {Action: "DELETE /x"}, {Action: "none"},
		{Kind: storage.ChangesOnly}, {Kind: storage.Refusals}, {Kind: storage.Refusals, Organization: acme}, {Kind: storage.ChangesOnly, Action: storage.ActionUpload, Target: "bob"},
		{Since: early}, {Until: late}, {Since: early, Until: late}, {Since: early.Add(time.Microsecond), Until: late.Add(time.Microsecond)}, {Since: late, Until: early},
		{Since: early, Organization: acme, Target: "bob", Caller: "admin"}, {Until: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}}
	f.lasting(func(when string) {
		for _, q := range queries {
			want := slices.DeleteFunc(slices.Clone(s.records), func(r storage.AuditRecord) bool { return !q.Admits(r) })
			if got, _ := f.listedTrail(q); !slices.Equal(withoutNumbers(got), want) {
				t.Errorf("%s: of %+v are listed\n%+v, want\n%+v", when, q, got, want)
			}
		}
		queries = queries[:3] // of a reopened store
	})
	if _, ok := f.store.(storage.Keeper); ok {
		listed, _ := f.listedTrail(storage.AuditQuery{})
		trail := f.trail(storage.TrailPosition{})
		for _, list := range [][]storage.AuditRecord{listed, trail} {
			slices.SortFunc(list, func(a, b storage.AuditRecord) int {
				return cmp.Or(strings.Compare(fmt.Sprint(a.Refusal), fmt.Sprint(b.Refusal)), cmp.Compare(a.Number, b.Number))
			})
		}
		if !slices.Equal(listed, trail) {
			t.Errorf("listed are\n%+v, and exported\n%+v", listed, trail)
		}
	}
	s.follow()
	for _, q := range []storage.AuditQuery{{Kind: "all"}, {Organization: "\x00"}, {Target: "\xff"}, {Caller: "a\n"}, {Action: "\x7f"},
		{After: storage.TrailPosition{Changes: -1}}, {After: storage.TrailPosition{Refusals: -1}}} {
		_, err := f.store.ListAudit(f.Context(), q)
		f.wantErr(err, storage.ErrInvalid, "ListAudit(%+v)", q)
	}
}

// follow demands that what is recorded later follows where each list has ended, and nothing else.
func (s *said) follow() {
	queries := []storage.AuditQuery{{}, {Action: storage.ActionUpload}, {Kind: storage.Refusals}, {Target: "ann", Kind: storage.ChangesOnly}, {Since: s.clock.Now()}}
	for i := range queries {
		_, queries[i].After = s.listedTrail(queries[i])
	}
	for round := range 2 {
		known := len(s.records)
		up := upload(under(newIssuer, user("ann")), globex, sample(uint64(round), 200))
		up.By = by("admin")
		_, err := s.store.Put(s.Context(), up)
		s.did(err, [3]string{storage.ActionUpload, globex, "ann"})
		s.refused("GET /x", "ann", acme, "AUTH-5mWD2")
		_, err = s.store.Remove(s.Context(), storage.Removal{User: up.User, Organization: globex, By: up.By})
		s.did(err, [3]string{storage.ActionRemove, globex, "ann"})
		for i, q := range queries {
			want := slices.DeleteFunc(slices.Clone(s.records[known:]), func(r storage.AuditRecord) bool { return !q.Admits(r) })
			got, next := s.listedTrail(q)
			if !slices.Equal(withoutNumbers(got), want) {
				s.Errorf("behind the end of %+v follow\n%+v, want\n%+v", q, got, want)
			}
			queries[i].After = next
		}
	}
}

func withoutNumbers(list []storage.AuditRecord) []storage.AuditRecord {
	list = slices.Clone(list)
	for i := range list {
		list[i].Number = 0
	}
	return list
}

// listedTrail goes through all pages of a list, whose numbers have to rise. It returns where new records will follow, too.
func (f *fixture) listedTrail(q storage.AuditQuery) (all []storage.AuditRecord, end storage.TrailPosition) {
	f.Helper()
	known := q.After
	for pages := 1; ; pages++ {
		page, err := f.store.ListAudit(f.Context(), q)
		if err != nil || len(page.Records) > storage.MaxPage || pages > maxPages {
			f.Fatalf("page %d of ListAudit(%+v) = %d records, %v", pages, q, len(page.Records), err)
		}
		for _, r := range page.Records {
			before := known
			if known.Saw(r); known == before {
				f.Errorf("page %d of ListAudit(%+v): %+v comes late, or again", pages, q, r)
			}
		}
		all = append(all, page.Records...)
		if q.After = page.Next; !page.More {
			return all, page.Next
		}
	}
}

// checkTrailFollowed: who follows the trail while many callers change things sees each change once.
func checkTrailFollowed(t TB, h Harness) {
	f := open(t, h)
	const each = 1 + storage.MaxPage/callers + 2
	want := map[storage.AuditRecord]bool{}
	say := func(action, target, caller string) {
		want[storage.AuditRecord{Action: action, Target: target, Request: by(caller).RequestID}] = true
	}
	for i := range callers {
		say(storage.ActionRegister, fmt.Sprint("user-", i), fmt.Sprint(i, " 0"))
		for n := range each {
			say(storage.ActionUpload, fmt.Sprint("user-", i), fmt.Sprint(i, " ", n))
		}
	}
	progress := make(chan struct{}, callers*each)
	go func() {
		defer close(progress)
		together(callers, func(i int) {
			for n := range each {
				up := upload(user(fmt.Sprint("user-", i)), acme, sample(uint64(n), 200))
				up.Register, up.By = n == 0, by(fmt.Sprint(i, " ", n))
				if _, err := f.store.Put(f.Context(), up); err != nil {
					t.Errorf("Put = %v, want nil", err)
				}
				progress <- struct{}{}
			}
		})
	}()
	q := storage.AuditQuery{}
	follow := func() {
		list, next := f.listedTrail(q)
		for _, r := range list {
			one := storage.AuditRecord{Action: r.Action, Target: r.Target, Request: r.Request}
			if !want[one] {
				t.Errorf("listed again, or never made: %+v", r)
			}
			delete(want, one)
		}
		q.After = next
	}
	for range progress {
		follow()
	}
	for range 100 { // a change may be held back by the rest of one that began earlier
		if follow(); len(want) == 0 {
			break
		}
	}
	if len(want) > 0 {
		t.Errorf("%d changes are not in the trail for who follows it: %v", len(want), want)
	}
	list, _ := f.listedTrail(storage.AuditQuery{})
	few, _ := f.listedTrail(storage.AuditQuery{Target: "user-3", Kind: storage.ChangesOnly})
	if len(list) != callers*(each+1) || len(few) != each+1 {
		t.Errorf("%d records are listed, and %d of one user, want %d and %d", len(list), len(few), callers*(each+1), each+1)
	}
}
