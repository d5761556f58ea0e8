package storagetest

import (
	"slices"

	"example.org/avatard/storage"
)

// checkTrailAfter: of the audit trail, an export writes what is newer than what is known, and nothing else. Stores that cannot be exported
// pass.
func checkTrailAfter(t TB, h Harness) {
	f := open(t, h)
	if _, ok := f.store.(storage.Keeper); !ok {
		return
	}
	refuse := func(action string) {
		f.store.RecordRefusal(storage.Refusal{By: origin(), Action: action, Reason: "r"})
		f.reopen() // it is recorded when the store is closed, at the latest
	}
	f.addUser(user("u"), acme)
	refuse("first")
	var known storage.TrailPosition
	before := f.trail(known)
	for _, r := range before {
		known.Saw(r)
	}
	if got := f.trail(known); len(got) > 0 {
		t.Errorf("of a trail that is known: %+v, want nothing", got)
	}
	f.put(user("u"), acme, sample(1, 100))
	f.remove(user("u"), acme)
	refuse("second")
	all := f.trail(storage.TrailPosition{})
	want := slices.DeleteFunc(all, func(r storage.AuditRecord) bool { return slices.Contains(before, r) })
	if got := f.trail(known); !slices.Equal(got, want) || !slices.ContainsFunc(got, func(r storage.AuditRecord) bool { return r.Action == "second" }) {
		t.Errorf("of the trail, after what is known: %+v, want %+v", got, want)
	}
}

// trail returns the records of the audit trail that an export writes after those that are known.
func (f *fixture) trail(known storage.TrailPosition) []storage.AuditRecord {
	f.Helper()
	return f.exports(storage.ExportOptions{ReceiptsOnly: true, Trail: true, TrailAfter: known}).trail
}
