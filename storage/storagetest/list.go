package storagetest

import (
	"fmt"
	"slices"
	"strings"

	"example.org/avatard/storage"
)

// checkLists: lists hold every user once, page by page, with record and picture as Stat returns them.
func checkLists(t TB, h Harness) {
	f := open(t, h)
	if page, err := f.store.ListUsers(f.Context(), storage.UserQuery{}); err != nil || len(page.Users) > 0 || page.Next != (storage.UserKey{}) {
		t.Errorf("ListUsers of nobody = %+v, %v", page, err)
	}
	want := map[storage.UserKey]string{} // organisations
	for i := range 2*storage.MaxPage + 1 {
		u, org := user(fmt.Sprintf("user %03d", i)), acme
		if i%100 == 7 {
			org = globex
		}
		f.addUser(u, org)
		want[u] = org
	}
	f.addUser(namesake, acme)
	want[namesake] = acme
	data := sample(1, 3000)
	f.put(user("user 007"), globex, data)
	f.put(user("user 008"), acme, data)
	f.remove(user("user 008"), acme)
	f.lasting(func(when string) {
		f.wantListed(want, when)
		f.wantFiltered(when)
	})

	for i := range storage.MaxPage {
		if _, err := f.store.AddOrganization(f.Context(), fmt.Sprintf("org %03d", i), origin()); err != nil {
			t.Fatalf("AddOrganization = %v", err)
		}
	}
	f.lasting(func(when string) {
		ids := f.listedOrganizations(when)
		if len(ids) != storage.MaxPage+2 || !slices.IsSorted(ids) || len(slices.Compact(ids)) != storage.MaxPage+2 {
			t.Errorf("%s: %d organisations are listed, want %d in order", when, len(ids), storage.MaxPage+2)
		}
	})
}

// namesake has the id of another issuer's user.
var namesake = storage.UserKey{Issuer: "https://other.test", ID: "user 007"}

// wantListed demands a list of these users, in these organisations, of whom user 007 has a picture and user 008 had one.
func (f *fixture) wantListed(want map[storage.UserKey]string, when string) {
	all := f.listed(storage.UserQuery{})
	if len(all) != len(want) {
		f.Errorf("%s: %d users are listed, want %d", when, len(all), len(want))
	}
	for u, org := range want {
		l, ok := all[u]
		if !ok || l.Details.Organization != org {
			f.Errorf("%s: %v is listed: %v, in %q, want %q", when, u, ok, l.Details.Organization, org)
		}
		info, err := f.store.Stat(f.Context(), u, org)
		if err != nil || l.Info != info {
			f.Errorf("%s: %v is listed as %+v, Stat = %+v, %v", when, u, l.Info, info, err)
		}
	}
	if l := all[user("user 007")]; l.Generation == "" || l.Size != 3000 {
		f.Errorf("%s: user 007 is listed as %+v, want a picture", when, l)
	}
	if l := all[user("user 008")]; l.Generation != "" {
		f.Errorf("%s: user 008 is listed as %+v, want no picture", when, l)
	}
}

// wantFiltered demands the lists of one organisation and of one id.
func (f *fixture) wantFiltered(when string) {
	if few := f.listed(storage.UserQuery{Organization: globex}); len(few) != 4 {
		f.Errorf("%s: %d users of %s are listed, want 4", when, len(few), globex)
	}
	for _, tt := range []struct {
		q    storage.UserQuery
		want int
	}{
		{storage.UserQuery{Picture: storage.WithPicture}, 1}, {storage.UserQuery{Picture: storage.WithoutPicture}, 2*storage.MaxPage + 1},
		{storage.UserQuery{Picture: storage.WithPicture, Organization: globex}, 1}, {storage.UserQuery{Picture: storage.WithPicture, Organization: acme}, 0},
		{storage.UserQuery{Picture: storage.WithoutPicture, Organization: globex}, 3}, {storage.UserQuery{Picture: storage.WithPicture, ID: "user 007"}, 1},
		{storage.UserQuery{After: user("user 3995")}, 1}, {storage.UserQuery{After: user("user 400")}, 0}, {storage.UserQuery{After: user("user 0"), Organization: globex}, 4},
		{storage.UserQuery{After: storage.UserKey{Issuer: "https://nobody.test", ID: "user 3985"}}, 2},
	} {
		if few := f.listed(tt.q); len(few) != tt.want {
			f.Errorf("%s: of %+v %d users are listed, want %d", when, tt.q, len(few), tt.want)
		}
	}
	_, err := f.store.ListUsers(f.Context(), storage.UserQuery{Picture: "some"})
	f.wantErr(err, storage.ErrInvalid, "%s: ListUsers with another filter of pictures", when)
	if two := f.listed(storage.UserQuery{ID: "user 007"}); len(two) != 2 || two[namesake].Details.Organization != acme {
		f.Errorf("%s: of one id %v are listed, want two", when, two)
	}
	if none := f.listed(storage.UserQuery{ID: "user"}); len(none) != 0 {
		f.Errorf("%s: of an unknown id %v are listed", when, none)
	}
}

// listedOrganizations goes through all pages of the organisations.
func (f *fixture) listedOrganizations(when string) (ids []string) {
	for {
		after := ""
		if len(ids) > 0 {
			after = ids[len(ids)-1]
		}
		page, err := f.store.ListOrganizations(f.Context(), after)
		if err != nil || len(page) > storage.MaxPage {
			f.Fatalf("%s: ListOrganizations(%q) = %d, %v", when, after, len(page), err)
		}
		for _, o := range page {
			if o.CreationDate.IsZero() {
				f.Errorf("%s: %s has no date", when, o.ID)
			}
			ids = append(ids, o.ID)
		}
		if len(page) < storage.MaxPage {
			return ids
		}
	}
}

// listed goes through all pages of a list, which have to be in order and of a bounded size.
func (f *fixture) listed(q storage.UserQuery) map[storage.UserKey]storage.ListedUser {
	f.Helper()
	all := map[storage.UserKey]storage.ListedUser{}
	last := ""
	for pages := 0; ; pages++ {
		page, err := f.store.ListUsers(f.Context(), q)
		if err != nil || len(page.Users) > storage.MaxPage || pages > maxPages {
			f.Fatalf("page %d of ListUsers = %d users, %v", pages, len(page.Users), err)
		}
		for _, l := range page.Users {
			if _, again := all[l.User]; again || strings.Compare(l.User.ID, last) < 0 {
				f.Errorf("%v is listed twice, or behind %q", l.User, last)
			}
			last = l.User.ID
			all[l.User] = l
		}
		if page.Next == (storage.UserKey{}) {
			return all
		}
		q.After = page.Next
	}
}
