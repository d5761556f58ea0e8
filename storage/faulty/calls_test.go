package faulty_test

import (
	"context"
	"errors"
	"slices"

	"example.org/avatard/storage"
	"example.org/avatard/storage/faulty"
)

// call is a call of a method. done, unless it is nil, looks into the store itself whether it took effect.
type call struct {
	method faulty.Method
	make   func(context.Context, storage.Store) error
	done   func(context.Context, *counting) bool
}

// calls are those of every method.
func calls() []call {
	return slices.Concat(registrations(), ends(), pictures(), lists(), proofs(), others())
}

// registrations are the calls that change or look up who is registered.
func registrations() []call {
	return []call{
		{faulty.AddOrganization, func(ctx context.Context, s storage.Store) error {
			_, err := s.AddOrganization(ctx, org2, by)
			return err
		}, func(ctx context.Context, s *counting) bool {
			has, err := s.HasOrganization(ctx, org2)
			return has && err == nil
		}},
		{faulty.HasOrganization, func(ctx context.Context, s storage.Store) error {
			_, err := s.HasOrganization(ctx, org)
			return err
		}, nil},
		{faulty.AddUser, func(ctx context.Context, s storage.Store) error {
			_, _, err := s.AddUser(ctx, ben, org, by)
			return err
		}, func(ctx context.Context, s *counting) bool {
			_, err := s.Get(ctx, ben, org)
			return errors.Is(err, storage.ErrNoPicture)
		}},
		{faulty.MoveUser, func(ctx context.Context, s storage.Store) error {
			if _, err := s.AddOrganization(ctx, org2, by); err != nil {
				return err
			}
			_, _, err := s.MoveUser(ctx, ann, org2, by)
			return err
		}, func(ctx context.Context, s *counting) bool {
			p, err := s.Get(ctx, ann, org2)
			return err == nil && string(p.Data) == "old"
		}},
		{faulty.MoveIssuer, func(ctx context.Context, s storage.Store) error {
			_, err := s.MoveIssuer(ctx, ann.Issuer, "https://new.example", by)
			return err
		}, func(ctx context.Context, s *counting) bool {
			p, err := s.Get(ctx, storage.UserKey{Issuer: "https://new.example", ID: ann.ID}, org)
			return err == nil && string(p.Data) == "old"
		}},
	}
}

// ends are the calls that take somebody or something off the record.
func ends() []call {
	return []call{
		{faulty.EraseUser, func(ctx context.Context, s storage.Store) error {
			_, err := s.EraseUser(ctx, storage.Removal{User: ann, Organization: org, By: by})
			return err
		}, func(ctx context.Context, s *counting) bool {
			_, err := s.Get(ctx, ann, org)
			return errors.Is(err, storage.ErrUserNotFound)
		}},
		{faulty.EndOrganization, func(ctx context.Context, s storage.Store) error {
			_, err := s.EndOrganization(ctx, org, by)
			return err
		}, func(ctx context.Context, s *counting) bool {
			state, err := s.OrganizationState(ctx, org)
			return err == nil && state == storage.Ending
		}},
		{faulty.OrganizationState, func(ctx context.Context, s storage.Store) error {
			_, err := s.OrganizationState(ctx, org)
			return err
		}, nil},
		{faulty.RemoveOrganization, func(ctx context.Context, s storage.Store) error {
			if _, err := s.AddOrganization(ctx, org2, by); err != nil {
				return err
			}
			_, err := s.RemoveOrganization(ctx, org2, by)
			return err
		}, func(ctx context.Context, s *counting) bool {
			has, err := s.HasOrganization(ctx, org2)
			return err == nil && !has
		}},
	}
}

// pictures are the calls about a picture.
func pictures() []call {
	picture := storage.Picture{Format: storage.PNG, Data: []byte("new")}
	return []call{
		{faulty.Put, func(ctx context.Context, s storage.Store) error {
			_, err := s.Put(ctx, storage.Upload{User: ann, Organization: org, By: by, Picture: picture})
			return err
		}, func(ctx context.Context, s *counting) bool {
			p, err := s.Get(ctx, ann, org)
			return err == nil && string(p.Data) == "new"
		}},
		{faulty.Remove, func(ctx context.Context, s storage.Store) error {
			_, err := s.Remove(ctx, storage.Removal{User: ann, Organization: org, By: by})
			return err
		}, func(ctx context.Context, s *counting) bool {
			_, err := s.Get(ctx, ann, org)
			return errors.Is(err, storage.ErrNoPicture)
		}},
		{faulty.Get, func(ctx context.Context, s storage.Store) error {
			_, err := s.Get(ctx, ann, org)
			return err
		}, nil},
		{faulty.Stat, func(ctx context.Context, s storage.Store) error {
			_, err := s.Stat(ctx, ann, org)
			return err
		}, nil},
	}
}

// lists are the calls that list what is on record, or a part of it.
func lists() []call {
	return []call{
		{faulty.ListUsers, func(ctx context.Context, s storage.Store) error {
			_, err := s.ListUsers(ctx, storage.UserQuery{})
			return err
		}, nil},
		{faulty.ListOrganizations, func(ctx context.Context, s storage.Store) error {
			_, err := s.ListOrganizations(ctx, "")
			return err
		}, nil},
		{faulty.ListReceipts, func(ctx context.Context, s storage.Store) error {
			_, err := s.ListReceipts(ctx, storage.ReceiptQuery{})
			return err
		}, nil},
		{faulty.Receipt, func(ctx context.Context, s storage.Store) error {
			res, err := s.Remove(ctx, storage.Removal{User: ann, Organization: org, By: by})
			if err != nil {
				return err
			}
			_, err = s.Receipt(ctx, res.Receipt)
			return err
		}, nil},
		{faulty.ListAudit, func(ctx context.Context, s storage.Store) error {
			_, err := s.ListAudit(ctx, storage.AuditQuery{})
			return err
		}, nil},
	}
}

// proofs are the calls about the log of receipts.
func proofs() []call {
	return []call{
		{faulty.ReceiptHead, func(ctx context.Context, s storage.Store) error {
			_, err := s.ReceiptHead(ctx)
			return err
		}, nil},
		{faulty.ProveReceipt, func(ctx context.Context, s storage.Store) error {
			res, err := s.Remove(ctx, storage.Removal{User: ann, Organization: org, By: by})
			if err != nil {
				return err
			}
			_, err = s.ProveReceipt(ctx, res.Receipt)
			return err
		}, nil},
		{faulty.ProveHistory, func(ctx context.Context, s storage.Store) error {
			_, err := s.ProveHistory(ctx, 0)
			return err
		}, nil},
		{faulty.VerifyReceipts, func(ctx context.Context, s storage.Store) error {
			if _, err := s.ReceiptHead(ctx); err != nil {
				return err
			}
			_, err := s.VerifyReceipts(ctx, nil)
			return err
		}, nil},
	}
}

// others are the calls about the store as a whole.
func others() []call {
	return []call{
		{faulty.RecordRefusal, func(_ context.Context, s storage.Store) error {
			s.RecordRefusal(storage.Refusal{By: by, Organization: org})
			return nil
		}, func(_ context.Context, s *counting) bool { return s.refusals.Load() == 1 }},
		{faulty.Ready, func(ctx context.Context, s storage.Store) error { return s.Ready(ctx) }, nil},
		{faulty.Close, func(_ context.Context, s storage.Store) error { return s.Close() },
			func(ctx context.Context, s *counting) bool { return s.Ready(ctx) != nil }},
	}
}
