package storagetest

import (
	"context"

	"example.org/avatard/storage"
)

// calls are calls of a store by name. Each returns its error alone.
type calls map[string]func(context.Context, storage.Store) error

// changes are the calls that change the picture of a user.
func changes(u storage.UserKey, org string) calls {
	return calls{
		"Put": func(ctx context.Context, s storage.Store) error {
			_, err := s.Put(ctx, upload(u, org, sample(9, 700)))
			return err
		},
		"Remove": func(ctx context.Context, s storage.Store) error {
			_, err := s.Remove(ctx, removal(u, org))
			return err
		},
	}
}

// allChanges are the calls that change a user's picture or registration.
func allChanges(u storage.UserKey, org string) calls {
	all := changes(u, org)
	all["AddUser"] = func(ctx context.Context, s storage.Store) error {
		_, _, err := s.AddUser(ctx, u, org, origin())
		return err
	}
	all["MoveUser"] = func(ctx context.Context, s storage.Store) error {
		_, _, err := s.MoveUser(ctx, u, org, origin())
		return err
	}
	all["RemoveUser"] = func(ctx context.Context, s storage.Store) error {
		_, err := s.RemoveUser(ctx, removal(u, org))
		return err
	}
	all["Put with Register"] = func(ctx context.Context, s storage.Store) error {
		up := upload(u, org, sample(2, 100))
		up.Register = true
		_, err := s.Put(ctx, up)
		return err
	}
	return all
}

// allCalls are those of all methods that return an error, but for Close.
func allCalls(u storage.UserKey, org string) calls {
	all := allChanges(u, org)
	all["AddOrganization"] = func(ctx context.Context, s storage.Store) error {
		_, err := s.AddOrganization(ctx, globex, origin())
		return err
	}
	all["HasOrganization"] = func(ctx context.Context, s storage.Store) error {
		_, err := s.HasOrganization(ctx, org)
		return err
	}
	all["AddUser of a new user"] = func(ctx context.Context, s storage.Store) error {
		_, _, err := s.AddUser(ctx, user("new"), org, origin())
		return err
	}
	all["MoveIssuer"] = func(ctx context.Context, s storage.Store) error {
		_, err := s.MoveIssuer(ctx, u.Issuer, "https://new.example", origin())
		return err
	}
	all["RemoveOrganization"] = func(ctx context.Context, s storage.Store) error {
		_, err := s.RemoveOrganization(ctx, globex, origin())
		return err
	}
	all["Get"] = func(ctx context.Context, s storage.Store) error {
		_, err := s.Get(ctx, u, org)
		return err
	}
	all["Stat"] = func(ctx context.Context, s storage.Store) error {
		_, err := s.Stat(ctx, u, org)
		return err
	}
	all["ListUsers"] = func(ctx context.Context, s storage.Store) error {
		_, err := s.ListUsers(ctx, storage.UserQuery{})
		return err
	}
	all["ListOrganizations"] = func(ctx context.Context, s storage.Store) error {
		_, err := s.ListOrganizations(ctx, "")
		return err
	}
	all["Ready"] = func(ctx context.Context, s storage.Store) error { return s.Ready(ctx) }
	return all
}
