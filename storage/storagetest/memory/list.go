package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"example.org/avatard/storage"
)

// ListUsers looks at storage.MaxPage users for a page, as the other lists do: few enough for tests to see pages that come back short.
func (s *store) ListUsers(ctx context.Context, q storage.UserQuery) (page storage.UserPage, err error) {
	if !q.Valid() {
		return page, fmt.Errorf("list: %w", storage.ErrInvalid)
	}
	if err := s.enter(ctx, nil); err != nil {
		return page, err
	}
	defer s.mu.Unlock()
	order := func(a, b storage.UserKey) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Issuer, b.Issuer))
	}
	var keys []storage.UserKey
	for u := range s.users {
		if order(u, q.After) > 0 || s.has("lists from the beginning again") {
			keys = append(keys, u)
		}
	}
	slices.SortFunc(keys, order)
	for i, u := range keys {
		if i == storage.MaxPage {
			if page.Next = keys[i-1]; s.has("lists one page only") || s.has("ends at a short page") && len(page.Users) < storage.MaxPage {
				page.Next = storage.UserKey{}
			}
			break
		}
		if l := s.listed(u); s.lists(q, l) {
			page.Users = append(page.Users, l)
		}
	}
	return page, nil
}

func (s *store) listed(u storage.UserKey) storage.ListedUser {
	e := s.users[u]
	l := storage.ListedUser{User: u, Info: storage.Info{Details: e.res.Details}}
	if e.picture != nil && !s.has("lists no pictures") {
		l.Generation, l.Format, l.Size = e.picture.Generation, e.picture.Format, int64(len(e.picture.Data))
	}
	return l
}

// lists reports whether a query lists a user.
func (s *store) lists(q storage.UserQuery, l storage.ListedUser) bool {
	return (q.ID == "" || l.User.ID == q.ID) && (q.Picture.Admits(l.Info) || s.has("lists all pictures")) &&
		(q.Organization == "" || l.Details.Organization == q.Organization || s.has("lists other organisations"))
}

func (s *store) ListOrganizations(ctx context.Context, after string) (page []storage.ListedOrganization, err error) {
	if after != "" && !storage.ValidText(after) {
		return nil, fmt.Errorf("list: %w", storage.ErrInvalid)
	}
	if err := s.enter(ctx, nil); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	for org, state := range s.orgs {
		if org > after && state.On() {
			page = append(page, storage.ListedOrganization{ID: org, CreationDate: time.Unix(1, 0), Ending: state == storage.Ending && !s.has("lists no endings")})
		}
	}
	slices.SortFunc(page, func(a, b storage.ListedOrganization) int { return cmp.Compare(a.ID, b.ID) })
	if s.has("lists too many organisations") {
		return page, nil
	}
	return page[:min(len(page), storage.MaxPage)], nil
}
