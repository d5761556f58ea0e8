package storagetest

import (
	"context"
	"maps"

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
	all["EraseUser"] = func(ctx context.Context, s storage.Store) error {
		_, err := s.EraseUser(ctx, removal(u, org))
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
	all["EndOrganization"] = func(ctx context.Context, s storage.Store) error {
		_, err := s.EndOrganization(ctx, org, origin())
		return err
	}
	all["OrganizationState"] = func(ctx context.Context, s storage.Store) error {
		_, err := s.OrganizationState(ctx, org)
		return err
	}
	maps.Copy(all, reads(u, org))
	return all
}

// reads are the calls that look at what is on record.
func reads(u storage.UserKey, org string) calls {
	all := calls{}
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
	all["ListReceipts"] = func(ctx context.Context, s storage.Store) error {
		_, err := s.ListReceipts(ctx, storage.ReceiptQuery{})
		return err
	}
	all["Receipt"] = func(ctx context.Context, s storage.Store) error {
		_, err := s.Receipt(ctx, "00000000000000000000000000000000")
		return err
	}
	all["ListAudit"] = func(ctx context.Context, s storage.Store) error {
		_, err := s.ListAudit(ctx, storage.AuditQuery{})
		return err
	}
	all["ReceiptHead"] = func(ctx context.Context, s storage.Store) error {
		_, err := s.ReceiptHead(ctx)
		return err
	}
	all["ProveReceipt"] = func(ctx context.Context, s storage.Store) error {
		_, err := s.ProveReceipt(ctx, "00000000000000000000000000000000")
		return err
	}
	all["ProveHistory"] = func(ctx context.Context, s storage.Store) error {
		_, err := s.ProveHistory(ctx, 0)
		return err
	}
	all["VerifyReceipts"] = func(ctx context.Context, s storage.Store) error {
		_, err := s.VerifyReceipts(ctx, nil)
		return err
	}
	all["Ready"] = func(ctx context.Context, s storage.Store) error { return s.Ready(ctx) }
	return all
}
