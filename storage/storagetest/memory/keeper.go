package memory

import (
	"context"
	"maps"
	"slices"

	"example.org/avatard/storage"
)

var _ storage.Engine = (*store)(nil)

// Check finds pictures that a receipt names. Nothing else can be wrong here.
func (s *store) Check(ctx context.Context, o storage.CheckOptions, found func(storage.Finding) error) (sum storage.CheckSummary, err error) {
	if err := s.enter(ctx, nil); err != nil {
		return sum, err
	}
	defer s.mu.Unlock()
	sum.Receipts, sum.Users = int64(len(s.receipts)), int64(len(s.users))
	erased := s.erased()
	for u, e := range s.users {
		if o.Progress != nil {
			o.Progress(sum.Pictures, sum.Users)
		}
		if e.picture == nil {
			continue
		}
		sum.Slots++
		sum.Pictures++
		if !erased[e.picture.Generation] {
			continue
		}
		sum.Findings++
		f := storage.Finding{Kind: storage.OrphanedBytes, User: u.ID, Issuer: u.Issuer, Generation: e.picture.Generation,
			Bytes: int64(len(e.picture.Data)), Detail: "a receipt names the picture"}
		if o.Repair {
			e.picture, f.Repaired, f.Repair = nil, true, "removed"
			sum.Repaired++
		}
		if err := found(f); err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// erased returns the generations that receipts name.
func (st *state) erased() map[string]bool {
	erased := map[string]bool{}
	for _, r := range st.receipts {
		erased[r.ID] = true
	}
	return erased
}

// Stats counts nothing.
func (s *store) Stats() storage.Stats { return storage.Stats{} }

// ErasuresDone returns nil: an erasure has happened when it returns.
func (s *store) ErasuresDone(context.Context) error { return nil }

// RoomForUploads returns nil.
func (s *store) RoomForUploads(context.Context) error { return nil }

// Issuers lists the issuers that somebody has.
func (s *store) Issuers() ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	issuers := map[string]bool{}
	for u := range s.users {
		issuers[u.Issuer] = true
	}
	return slices.Sorted(maps.Keys(issuers)), nil
}

// OtherIssuers returns the issuers, nil when the one that is named is one of them.
func (s *store) OtherIssuers(issuer string) []string {
	all, _ := s.Issuers()
	if slices.Contains(all, issuer) {
		return nil
	}
	return all
}
