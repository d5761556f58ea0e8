package memory

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"

	"example.org/avatard/storage"
)

// Export exports the store as it is at one moment.
func (s *store) Export(ctx context.Context, o storage.ExportOptions, to func(storage.Record) error) error {
	if err := s.enter(ctx, nil); err != nil {
		return err
	}
	defer s.mu.Unlock()
	now := s.now().UnixMicro()
	x := &export{store: s, to: to, users: map[storage.UserKey]int64{}, issuers: map[string]int64{}}
	begin := storage.StoreRecord{ID: s.id, ReceiptsOnly: o.ReceiptsOnly, Began: now, Receipts: int64(len(s.receipts)), LastUser: int64(len(s.users) + len(s.gone))}
	skip := 0
	if o.Since != nil {
		if o.Since.Store != hex.EncodeToString(s.id[:]) || o.Since.Receipt > int64(len(s.receipts)) {
			return fmt.Errorf("%w: it is of another store", storage.ErrCannotGoOn)
		}
		skip = int(o.Since.Receipt)
		begin.Since, begin.SinceTime = o.Since.Receipt, o.Since.Ended.UnixMicro()
	}
	x.write(begin)
	for org, state := range s.orgs {
		x.write(storage.OrganizationRecord{ID: org, Created: 1_000_000, State: x.stateOf(state)})
	}
	x.writeUsers(!o.ReceiptsOnly)
	end := storage.EndRecord{Ended: now, Newest: int64(len(s.receipts))}
	for i, r := range s.receipts {
		if end.Generation = idOf(r.ID); i >= skip {
			x.write(storage.ReceiptRecord{Number: int64(i + 1), User: x.users[r.User], Generation: idOf(r.ID), Time: r.Time.UnixMicro(), Reason: r.Reason,
				Organization: r.Organization, Caller: r.By.Caller, CallerOrganization: r.By.CallerOrganization, Request: r.By.RequestID})
		}
	}
	if !o.ReceiptsOnly || o.Trail {
		for _, r := range s.after(o.TrailAfter) {
			x.write(r)
		}
	}
	end.Counts, end.Totals.Users = x.counts, int64(len(s.users))
	x.write(end)
	return x.err
}

// export is an export under way. After the first error it writes nothing.
type export struct {
	*store
	to      func(storage.Record) error
	counts  storage.RecordCounts
	users   map[storage.UserKey]int64 // their numbers
	issuers map[string]int64
	err     error
}

func (x *export) write(record storage.Record) {
	if x.err == nil {
		x.counts.Count(record)
		x.err = x.to(record)
	}
}

func (x *export) writeUsers(pictures bool) {
	var keys []storage.UserKey
	for u := range x.store.users {
		keys = append(keys, u)
	}
	for u, e := range x.gone {
		if x.store.users[u] == nil && x.exports(e, pictures) {
			keys = append(keys, u)
		}
	}
	slices.SortFunc(keys, func(a, b storage.UserKey) int {
		return cmp.Or(cmp.Compare(a.Issuer, b.Issuer), cmp.Compare(a.ID, b.ID))
	})
	for i, u := range keys {
		if x.issuers[u.Issuer] == 0 {
			x.issuers[u.Issuer] = int64(len(x.issuers) + 1)
			x.write(storage.IssuerRecord{Number: x.issuers[u.Issuer], URL: u.Issuer})
		}
		e := x.store.users[u]
		if e == nil {
			e = x.gone[u]
		}
		x.users[u] = int64(i + 1)
		d := e.res.Details
		record := storage.UserRecord{Number: x.users[u], Issuer: x.issuers[u.Issuer], ID: u.ID, Organization: d.Organization, Created: d.CreationDate.UnixMicro(),
			Changed: d.ChangeDate.UnixMicro(), Sequence: int64(d.Sequence), State: e.state}
		if e.state.On() && pictures && e.picture != nil {
			record.Picture = storage.PictureFollows
		}
		x.write(record)
		if record.Picture == storage.PictureFollows {
			x.write(storage.PictureRecord{Generation: idOf(e.picture.Generation), Format: e.picture.Format, Data: e.picture.Data})
		}
	}
}

// exports reports whether a user who was taken off the record is exported.
func (x *export) exports(e *entry, pictures bool) bool {
	return !x.has("exports no tombstones") && (pictures || e.res.Receipt != "" || !x.has("exports ended users without a picture with pictures only"))
}

func (x *export) stateOf(state storage.RegistrationState) storage.RegistrationState {
	if x.has("exports organisations as registered") {
		return storage.Registered
	}
	return state
}
