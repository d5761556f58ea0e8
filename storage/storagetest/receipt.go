package storagetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"example.org/avatard/storage"
)

// by is the origin of a caller of their own.
func by(caller string) storage.Origin {
	return storage.Origin{Caller: caller, CallerOrganization: globex, RequestID: "request of " + caller, Readmits: caller == "admin"}
}

// sayReceipts makes erasures of each kind and returns their receipts, the newest first.
func (f *fixture) sayReceipts() (all []storage.Receipt) {
	ann, ben, cem := user("ann"), user("ben"), user("cem")
	receipt := func(u storage.UserKey, org string, reason int64, caller string, res storage.Result, err error) {
		f.Helper()
		if err != nil {
			f.Fatalf("erasure of a picture of %v = %v", u, err)
		}
		from := by(caller)
		from.Readmits = false
		at := f.clock.Now().UTC().Truncate(time.Microsecond)
		all = slices.Insert(all, 0, storage.Receipt{ID: res.Receipt, User: u, Organization: org, Time: at, Reason: reason, By: from})
		f.clock.advance(time.Minute)
	}
	replace := func(u storage.UserKey, org, caller string) {
		f.Helper()
		up := upload(u, org, sample(uint64(len(all)), 400))
		up.By = by(caller)
		res, err := f.store.Put(f.Context(), up)
		receipt(u, org, storage.ReasonReplaced, caller, res, err)
	}
	remove := func(u storage.UserKey, org, caller string) {
		f.Helper()
		res, err := f.store.Remove(f.Context(), storage.Removal{User: u, Organization: org, By: by(caller)})
		receipt(u, org, storage.ReasonRemoved, caller, res, err)
	}
	f.addUser(namesake, acme)
	for i, u := range []storage.UserKey{ann, ben, cem} {
		f.addUser(u, acme)
		f.put(u, acme, sample(uint64(100+i), 300))
	}
	f.put(namesake, acme, sample(103, 300))
	replace(ann, acme, "ann")
	replace(ann, acme, "admin")
	remove(ben, acme, "ben")
	f.addUser(user("other"), globex)
	if _, _, err := f.store.MoveUser(f.Context(), ann, globex, origin()); err != nil {
		f.Fatalf("MoveUser = %v", err)
	}
	remove(ann, globex, "")
	res, err := f.store.EraseUser(f.Context(), storage.Removal{User: cem, AnyOrganization: true, By: by("admin")})
	receipt(cem, acme, storage.ReasonRemoved, "admin", res, err)
	remove(namesake, acme, "namesake")
	f.readmit(cem, globex)
	f.put(cem, globex, sample(104, 300))
	remove(cem, globex, "cem")
	return all
}

// checkReceipts: each erasure has a receipt that says what it was, and lists find it.
func checkReceipts(t TB, h Harness) {
	f := open(t, h)
	if page, err := f.store.ListReceipts(f.Context(), storage.ReceiptQuery{}); err != nil || len(page.Receipts) > 0 || page.Next != "" {
		t.Errorf("ListReceipts of nothing = %+v, %v", page, err)
	}
	all := f.sayReceipts()
	f.put(user("ann"), globex, sample(1, 300)) // is there, and has no receipt
	queries := receiptQueries(all)
	f.lasting(func(when string) {
		f.wantReceipts(all, queries, when)
		queries = queries[:3] // of a reopened store
		for _, r := range all {
			if got, err := f.store.Receipt(f.Context(), r.ID); err != nil || got != r {
				t.Errorf("%s: Receipt(%s) = %+v, %v, want %+v", when, r.ID, got, err, r)
			}
		}
		id := all[0].ID
		for _, odd := range []string{"", "x", "0", id[1:], id + "0", id + id, id + "g", " " + id, strings.Repeat("0", 32), strings.Repeat("f", 1<<16),
			f.stat(user("ann"), globex).Generation, "\x00", "\xff\xfe", id[:30] + "\xff\xff", "'", "日本語"} {
			got, err := f.store.Receipt(f.Context(), odd)
			if f.wantErr(err, storage.ErrReceiptNotFound, "%s: Receipt(%.40q)", when, odd); got != (storage.Receipt{}) {
				t.Errorf("%s: Receipt(%.40q) = %+v beside its error", when, odd, got)
			}
		}
	})
	for _, q := range []storage.ReceiptQuery{{User: storage.UserKey{ID: "ann"}}, {User: storage.UserKey{Issuer: user("").Issuer}}, {User: user("\x00")},
		{Organization: "\x00"}, {Organization: "\xff"}, {After: "nonsense"}, {After: "\xff"}, {After: "-1"}, {After: strings.Repeat("9", 400)}} {
		_, err := f.store.ListReceipts(f.Context(), q)
		f.wantErr(err, storage.ErrInvalid, "ListReceipts(%.80q)", fmt.Sprint(q))
	}
}

// receiptQueries are queries that list some of these receipts, or none.
func receiptQueries(all []storage.Receipt) []storage.ReceiptQuery {
	early, late := all[5].Time, all[2].Time
	return []storage.ReceiptQuery{
		{}, {User: user("ann")}, {User: user("cem")}, {User: namesake}, {User: user("other")}, {User: user("nobody")}, {User: storage.UserKey{Issuer: "https://nobody.test", ID: "ann"}},
		{Organization: acme}, {Organization: globex}, {Organization: "nowhere"}, {User: user("ann"), Organization: globex}, {User: user("ben"), Organization: globex},
		{Since: early}, {Until: late}, {Since: early, Until: late}, {Since: early.Add(time.Microsecond), Until: late.Add(time.Microsecond)},
		{Since: late, Until: early}, {Since: early, User: user("ann"), Organization: acme}, {Until: late, Organization: acme},
		{Since: time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC), Until: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}, {Since: late.In(time.FixedZone("east", 3600)).Add(time.Nanosecond)},
	}
}

// wantReceipts demands of each query what there is of all receipts, in their order.
func (f *fixture) wantReceipts(all []storage.Receipt, queries []storage.ReceiptQuery, when string) {
	f.Helper()
	for _, q := range queries {
		want := slices.DeleteFunc(slices.Clone(all), func(r storage.Receipt) bool { return !q.Admits(r) })
		if got := f.listedReceipts(q, nil); !slices.Equal(got, want) {
			f.Errorf("%s: of %+v are listed\n%+v, want\n%+v", when, q, got, want)
		}
	}
}

// maxPages is more pages than any list of the suite has.
const maxPages = 50

// listedReceipts goes through all pages of a list. It calls between, unless it is nil, behind the first.
func (f *fixture) listedReceipts(q storage.ReceiptQuery, between func()) (all []storage.Receipt) {
	f.Helper()
	for pages := 1; ; pages++ {
		page, err := f.store.ListReceipts(f.Context(), q)
		if err != nil || len(page.Receipts) > storage.MaxPage || pages > maxPages {
			f.Fatalf("page %d of ListReceipts(%+v) = %d, %v", pages, q, len(page.Receipts), err)
		}
		all = append(all, page.Receipts...)
		if q.After = page.Next; page.Next == "" {
			return all
		}
		if pages == 1 && between != nil {
			between()
		}
	}
}

// checkManyReceipts: pages hold each receipt once, the newest first, whatever is erased between them.
func checkManyReceipts(t TB, h Harness) {
	f := open(t, h)
	const each = 1 + storage.MaxPage/callers + 2
	made := make([][]string, callers) // of each user, the oldest first
	together(callers, func(i int) {
		u := user(fmt.Sprint("user-", i))
		for n := range each {
			up := upload(u, acme, sample(uint64(i*each+n), 200))
			up.Register = n == 0
			res, err := f.store.Put(f.Context(), up)
			if err != nil {
				t.Errorf("Put = %v, want nil", err)
			}
			if n > 0 {
				made[i] = append(made[i], res.Receipt)
			}
		}
	})
	newer := 0
	for _, q := range []storage.ReceiptQuery{{}, {Organization: acme}, {Since: start().Add(-time.Hour)}, {Until: start().Add(time.Hour)}} {
		list := f.listedReceipts(q, func() {
			made[0] = append(made[0], f.put(user("user-0"), acme, sample(uint64(newer), 900)).Receipt)
			newer++
		})
		f.wantChains(list, made, newer, fmt.Sprintf("%+v", q))
	}
	f.lasting(func(when string) {
		f.wantChains(f.listedReceipts(storage.ReceiptQuery{}, nil), made, 0, when)
		for i, ids := range made {
			list := f.listedReceipts(storage.ReceiptQuery{User: user(fmt.Sprint("user-", i)), Organization: acme}, nil)
			f.wantChains(list, made[i:i+1], 0, when+", of one user")
			if len(list) > 0 && list[0].ID != ids[len(ids)-1] {
				t.Errorf("%s: the newest of user %d is %s, want %s", when, i, list[0].ID, ids[len(ids)-1])
			}
		}
	})
	f.wantShortPages()
}

// wantChains demands the receipts of some users, each user's in the order in which they were made, the newest first. Of the first user the
// newest ones may be left out.
func (f *fixture) wantChains(list []storage.Receipt, made [][]string, newer int, when string) {
	f.Helper()
	total := 0
	for i, want := range made {
		var got []string
		for _, r := range list {
			if slices.Contains(want, r.ID) {
				got = append([]string{r.ID}, got...)
			}
		}
		total += len(got)
		if i == 0 && len(got) >= len(want)-newer {
			want = want[:len(got)]
		}
		if !slices.Equal(got, want) {
			f.Errorf("%s: %d receipts of user %d are listed, or in another order, want %d", when, len(got), i, len(want))
		}
	}
	if total != len(list) {
		f.Errorf("%s: %d of the %d receipts that are listed are nobody's", when, len(list)-total, len(list))
	}
}

// wantShortPages demands that a query which finds little among many receipts finds that, and ends.
func (f *fixture) wantShortPages() {
	f.Helper()
	f.addUser(user("late"), globex)
	f.put(user("late"), globex, sample(1, 300))
	receipt := f.remove(user("late"), globex).Receipt
	for range 2 {
		list := f.listedReceipts(storage.ReceiptQuery{Organization: globex}, nil)
		if len(list) != 1 || list[0].ID != receipt {
			f.Errorf("of another organisation %+v are listed, want %s", list, receipt)
		}
		f.put(user("user-1"), acme, sample(2, 300))
	}
	for _, q := range []storage.ReceiptQuery{{Organization: "nowhere"}, {Until: start().Add(-time.Hour)}, {Since: start().Add(time.Hour)}} {
		if list := f.listedReceipts(q, nil); len(list) > 0 {
			f.Errorf("of %+v are listed %+v, want none", q, list)
		}
	}
}
