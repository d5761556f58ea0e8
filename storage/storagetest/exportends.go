package storagetest

import (
	"time"

	"example.org/avatard/storage"
)

// exported is what an export holds of users, organisations and receipts.
type exported struct {
	users         map[string]storage.UserRecord // by id
	organizations map[string]storage.RegistrationState
	receipts      []storage.ReceiptRecord
	trail         []storage.AuditRecord
	position      storage.ExportPosition
}

// checkExportEnds: every export has who has ended, and who erased what. Stores that cannot be exported pass.
func checkExportEnds(t TB, h Harness) {
	f := open(t, h)
	if _, ok := f.store.(storage.Keeper); !ok {
		return
	}
	const third, fourth = "third", "fourth"
	f.addUser(user("stays"), acme)
	f.addUser(user("other"), globex)
	f.addUser(user("gone"), third)
	f.addUser(user("never had one"), third)
	f.put(user("gone"), third, sample(1, 300))
	f.endOrganization(globex, true, nil, "with a user")
	f.endOrganization(third, true, nil, "with two")
	f.clock.advance(time.Minute)
	want := map[string]storage.Result{}
	for _, u := range []storage.UserKey{user("gone"), user("never had one")} {
		want[u.ID] = f.eraseUser(removal(u, third))
	}
	f.removeOrganization(third, true, nil, "left")
	f.eraseUser(removal(f.added(user("short"), fourth), fourth))
	f.removeOrganization(fourth, true, nil, "left")
	receiptsOnly := storage.ExportOptions{ReceiptsOnly: true}
	f.lasting(func(when string) {
		full := f.exports(storage.ExportOptions{})
		f.wantExported(full, want, when+", in full")
		if r, ok := full.users["stays"]; !ok || r.State != storage.Registered {
			t.Errorf("%s: who stays is exported as %+v", when, r)
		}
		if state, ok := full.organizations[acme]; !ok || state != storage.Registered {
			t.Errorf("%s: organisation %s is exported: %v, as %v", when, acme, ok, state)
		}
		f.wantExported(f.exports(receiptsOnly), want, when+", receipts only")
		since := receiptsOnly
		since.Since = &full.position
		newer := f.exports(since)
		if len(newer.receipts) > 0 {
			t.Errorf("%s: receipts since the newest: %+v", when, newer.receipts)
		}
		newer.receipts = full.receipts
		f.wantExported(newer, want, when+", since a backup")
	})
}

// added is addUser for a key.
func (f *fixture) added(u storage.UserKey, org string) storage.UserKey {
	f.Helper()
	f.addUser(u, org)
	return u
}

// wantExported demands these ended users of third, with the receipt of the one who had a picture, and the states of the organisations that end.
func (f *fixture) wantExported(e exported, want map[string]storage.Result, when string) {
	f.Helper()
	for id, res := range want {
		r, d := e.users[id], res.Details
		if r.State != storage.Ended || r.Organization != d.Organization || r.Sequence != int64(d.Sequence) || r.Picture != storage.PictureNone ||
			r.Created != d.CreationDate.UnixMicro() || r.Changed != d.ChangeDate.UnixMicro() {
			f.Errorf("%s: %s is exported as %+v, want the tombstone of %+v", when, id, r, d)
		}
	}
	for org, state := range map[string]storage.RegistrationState{globex: storage.Ending, "third": storage.Ended} {
		if got, ok := e.organizations[org]; !ok || got != state {
			f.Errorf("%s: organisation %s is exported: %v, as %v, want %v", when, org, ok, got, state)
		}
	}
	if state, ok := e.organizations["fourth"]; ok && state != storage.Removed {
		f.Errorf("%s: an organisation that was removed is exported as %v", when, state)
	}
	by := origin()
	if len(e.receipts) != 1 {
		f.Fatalf("%s: receipts that are exported: %+v, want one", when, e.receipts)
	}
	if r := e.receipts[0]; r.Organization != "third" || r.Caller != by.Caller || r.CallerOrganization != by.CallerOrganization || r.Request != by.RequestID {
		f.Errorf("%s: the receipt is exported as %+v, want one of %+v in third", when, r, by)
	}
}

// exports makes an export. Of a user or an organisation the last record counts.
func (f *fixture) exports(o storage.ExportOptions) exported {
	f.Helper()
	e := exported{users: map[string]storage.UserRecord{}, organizations: map[string]storage.RegistrationState{}}
	var begin storage.StoreRecord
	err := f.store.(storage.Keeper).Export(f.Context(), o, func(record storage.Record) error {
		switch r := record.(type) {
		case storage.StoreRecord:
			begin = r
		case storage.UserRecord:
			e.users[r.ID] = r
		case storage.OrganizationRecord:
			e.organizations[r.ID] = r.State
		case storage.ReceiptRecord:
			e.receipts = append(e.receipts, r)
		case storage.AuditRecord:
			e.trail = append(e.trail, r)
		case storage.EndRecord:
			e.position = r.Position(begin)
		}
		return nil
	})
	if err != nil {
		f.Fatalf("Export = %v, want nil", err)
	}
	return e
}
