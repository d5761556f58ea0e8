package storagetest

import (
	"strings"

	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
)

// oddIDs are all different, and all valid: ids are compared byte for byte.
func oddIDs() []string {
	return []string{
		"a", "A", " a", "a ", "a\u00a0", "\u200ba", "a\u200b",
		"1", "01", "1.0", "+1", "1e0", "0x1", "-1", "18446744073709551616", "NULL", "null", "true",
		"'", "''", `"`, "`", "\\", "\\'", "'; DROP TABLE users; --", "x' OR '1'='1", "?", "?1", ":id", "$1", "@id",
		"%", "_", "*", "a%", "[a]", "%61", "{}", "../a", "..", ".", "/", "a/b", "a\\b", "C:", "CON",
		"\u00e9", "e\u0301", "\u212b", "\u00c5", "A\u030a", "\ufb01", "fi", "ß", "ss", "I", "i", "ı", "İ",
		"\ufffd", "\ufeff", "\ufeffa", "\u202ea", "\U0001f642", "\U0010ffff", "日本語",
		strings.Repeat("x", 200), strings.Repeat("x", 199) + "y", strings.Repeat("\U0001f642", 200),
	}
}

func checkOddIDs(t TB, h Harness) {
	f := open(t, h)
	odd := oddIDs()
	keys := func(i int) []storage.UserKey {
		return []storage.UserKey{user(odd[i]), {Issuer: odd[i], ID: "u"}}
	}
	// Each id serves as a user, as an issuer and as an organisation.
	for i, id := range odd {
		if created, err := f.store.AddOrganization(f.Context(), id, origin()); err != nil || !created {
			t.Errorf("AddOrganization(%q) = %v, %v, want true, nil", id, created, err)
		}
		for n, u := range keys(i) {
			if _, created, err := f.store.AddUser(f.Context(), u, id, origin()); err != nil || !created {
				t.Fatalf("AddUser(%q, %q) = created %v, %v, want true, nil", u, id, created, err)
			}
			if got := f.put(u, id, sample(uint64(2*i+n), 120)).Details.Organization; got != id {
				t.Errorf("Put(%q) = organisation %q, want %q", u, got, id)
			}
		}
	}
	for i := 0; i < len(odd); i += 2 {
		f.remove(keys(i)[0], odd[i])
		f.remove(keys(i)[1], odd[i])
	}
	f.lasting(func(string) {
		for i, id := range odd {
			f.wantOrganization(id, true)
			for n, u := range keys(i) {
				if i%2 == 0 {
					f.wantNone(u, id)
				} else {
					f.wantPicture(u, id, sample(uint64(2*i+n), 120))
				}
			}
		}
	})
}

// invalidIDs are texts that are not ids. Some of them are valid as issuers.
func invalidIDs() []string {
	return []string{
		"", strings.Repeat("x", storage.MaxIDBytes+1), strings.Repeat("é", storage.MaxIDBytes), // length
		strings.Repeat("x", ids.MaxRunes+1), strings.Repeat("é", ids.MaxRunes+1), // of an id alone: an issuer may have it
		"\xff", "u\xc3", "\xed\xa0\x80", "\xc0\x80", // not UTF-8
		"\x00", "u\x00", "u\x00v", "\x00u", "u\n", "u\r\n", "\x1f", "\x7f", "u\u0085", "\u009f", // control characters
	}
}

func checkInvalidIDs(t TB, h Harness) {
	f := open(t, h)
	f.addUser(user("u"), acme)
	kept := sample(1, 300)
	want := f.put(user("u"), acme, kept)
	for _, bad := range invalidIDs() {
		f.refuses(storage.UserKey{Issuer: user("u").Issuer, ID: bad}, acme, "user id", bad)
		f.refuses(user("u"), bad, "organisation", bad)
		if !storage.ValidText(bad) {
			f.refuses(storage.UserKey{Issuer: bad, ID: "u"}, acme, "issuer", bad)
			f.refusesIssuer(bad)
		}
		f.refusesOrganization(bad)
	}
	f.lasting(func(when string) {
		f.wantPicture(user("u"), acme, kept)
		f.same(f.peek(user("u"), acme), want, "%s: AddUser after refusals", when)
	})
}

// refuses demands that every call is refused when bad is in this field of the user's key, or is the organisation.
func (f *fixture) refuses(u storage.UserKey, org, field, bad string) {
	for name, call := range allChanges(u, org) {
		f.wantErr(call(f.Context(), f.store), storage.ErrInvalid, "%s with %s %.20q", name, field, bad)
	}
	// No user can have such an id, so Get and Stat may also answer that there is no such user.
	p, err := f.store.Get(f.Context(), u, org)
	if !isOneOf(err, storage.ErrInvalid, storage.ErrUserNotFound, storage.ErrOtherOrganization) {
		f.Errorf("Get with %s %.20q = %d bytes, %v, want an error", field, bad, len(p.Data), err)
	}
	_, err = f.store.Stat(f.Context(), u, org)
	if !isOneOf(err, storage.ErrInvalid, storage.ErrUserNotFound, storage.ErrOtherOrganization) {
		f.Errorf("Stat with %s %.20q = %v, want an error", field, bad, err)
	}
}

// refusesIssuer demands that a text which cannot be an issuer is refused by moves of issuers and by lists.
func (f *fixture) refusesIssuer(bad string) {
	_, err := f.store.MoveIssuer(f.Context(), user("u").Issuer, bad, origin())
	f.wantErr(err, storage.ErrInvalid, "MoveIssuer to %.20q", bad)
	_, err = f.store.MoveIssuer(f.Context(), bad, user("u").Issuer, origin())
	f.wantErr(err, storage.ErrInvalid, "MoveIssuer from %.20q", bad)
	if bad == "" { // which lists everything
		return
	}
	for _, q := range []storage.UserQuery{{ID: bad}, {Organization: bad}, {After: storage.UserKey{Issuer: bad, ID: "u"}}} {
		_, err := f.store.ListUsers(f.Context(), q)
		f.wantErr(err, storage.ErrInvalid, "ListUsers with %.20q", bad)
	}
	for _, q := range []storage.ReceiptQuery{{Organization: bad}, {User: storage.UserKey{Issuer: bad, ID: "u"}}, {User: user(bad)}} {
		_, err := f.store.ListReceipts(f.Context(), q)
		f.wantErr(err, storage.ErrInvalid, "ListReceipts with %.20q", bad)
	}
	for _, q := range []storage.AuditQuery{{Organization: bad}, {Target: bad}, {Caller: bad}, {Action: bad}} {
		_, err := f.store.ListAudit(f.Context(), q)
		f.wantErr(err, storage.ErrInvalid, "ListAudit with %.20q", bad)
	}
	_, err = f.store.ListOrganizations(f.Context(), bad)
	f.wantErr(err, storage.ErrInvalid, "ListOrganizations behind %.20q", bad)
}

func (f *fixture) refusesOrganization(bad string) {
	_, err := f.store.AddOrganization(f.Context(), bad, origin())
	f.wantErr(err, storage.ErrInvalid, "AddOrganization(%.20q)", bad)
	_, err = f.store.RemoveOrganization(f.Context(), bad, origin())
	f.wantErr(err, storage.ErrInvalid, "RemoveOrganization(%.20q)", bad)
	_, err = f.store.EndOrganization(f.Context(), bad, origin())
	f.wantErr(err, storage.ErrInvalid, "EndOrganization(%.20q)", bad)
	if state, err := f.store.OrganizationState(f.Context(), bad); state != storage.Removed || err != nil && !isOneOf(err, storage.ErrInvalid) {
		f.Errorf("OrganizationState(%.20q) = %v, %v, want %v, and no error but %v", bad, state, err, storage.Removed, storage.ErrInvalid)
	}
	if has, err := f.store.HasOrganization(f.Context(), bad); has || err != nil && !isOneOf(err, storage.ErrInvalid) {
		f.Errorf("HasOrganization(%.20q) = %v, %v, want false, and no error but %v", bad, has, err, storage.ErrInvalid)
	}
}

func checkInvalidCaller(t TB, h Harness) {
	f := open(t, h)
	f.addUser(user("u"), acme)
	want := f.put(user("u"), acme, sample(1, 300))
	rm := removal(user("u"), acme)
	rm.By.Caller = strings.Repeat("x", storage.MaxIDBytes+1)
	_, err := f.store.Remove(f.Context(), rm)
	f.wantErr(err, storage.ErrInvalid, "Remove by a caller of %d bytes", len(rm.By.Caller))
	_, err = f.store.EraseUser(f.Context(), rm)
	f.wantErr(err, storage.ErrInvalid, "EraseUser by such a caller")
	_, err = f.store.EndOrganization(f.Context(), acme, rm.By)
	f.wantErr(err, storage.ErrInvalid, "EndOrganization by such a caller")
	f.wantState(acme, storage.Registered, "after that")
	f.wantPicture(user("u"), acme, sample(1, 300))
	f.same(f.peek(user("u"), acme), want, "AddUser after that")

	rm.By.Caller = strings.Repeat("\U0001f642", storage.MaxIDBytes/4)
	if _, err := f.store.Remove(f.Context(), rm); err != nil {
		t.Errorf("Remove by a caller of %d bytes = %v, want nil", len(rm.By.Caller), err)
	}
}
