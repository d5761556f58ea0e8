package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"example.org/avatard/storage"
)

func (s *store) ListUsers(ctx context.Context, q storage.UserQuery) (page storage.UserPage, err error) {
	for _, text := range []string{q.ID, q.Organization, q.After.ID, q.After.Issuer} {
		if text != "" && !storage.ValidText(text) {
			return page, fmt.Errorf("list: %w", storage.ErrInvalid)
		}
	}
	if err := s.enter(ctx, nil); err != nil {
		return page, err
	}
	defer s.mu.Unlock()
	var keys []storage.UserKey
	for u := range s.users {
		keys = append(keys, u)
	}
	order := func(a, b storage.UserKey) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Issuer, b.Issuer))
	}
	slices.SortFunc(keys, order)
	for _, u := range keys {
		e := s.users[u]
		if q.ID != "" && u.ID != q.ID || order(u, q.After) <= 0 && !s.has("lists from the beginning again") ||
			q.Organization != "" && e.res.Details.Organization != q.Organization && !s.has("lists other organisations") {
			continue
		}
		if len(page.Users) == storage.MaxPage {
			page.Next = page.Users[len(page.Users)-1].User
			if s.has("lists one page only") {
				page.Next = storage.UserKey{}
			}
			break
		}
		l := storage.ListedUser{User: u, Info: storage.Info{Details: e.res.Details}}
		if e.picture != nil && !s.has("lists no pictures") {
			l.Generation, l.Format, l.Size = e.picture.Generation, e.picture.Format, int64(len(e.picture.Data))
		}
		page.Users = append(page.Users, l)
	}
	return page, nil
}

func (s *store) ListOrganizations(ctx context.Context, after string) (page []storage.ListedOrganization, err error) {
	if after != "" && !storage.ValidText(after) {
		return nil, fmt.Errorf("list: %w", storage.ErrInvalid)
	}
	if err := s.enter(ctx, nil); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	for org := range s.orgs {
		if org > after {
			page = append(page, storage.ListedOrganization{ID: org, CreationDate: time.Unix(1, 0)})
		}
	}
	slices.SortFunc(page, func(a, b storage.ListedOrganization) int { return cmp.Compare(a.ID, b.ID) })
	if s.has("lists too many organisations") {
		return page, nil
	}
	return page[:min(len(page), storage.MaxPage)], nil
}
