package embedded

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/hooks"
	"example.org/avatard/storage/embedded/internal/slab"
)

// userRecord is a row of user.
type userRecord struct {
	uid          int64
	organization string
	created      int64
	changed      int64
	sequence     int64
	receipt      int64 // newest, 0 for none
	state        storage.RegistrationState
	// erased is the generation of the newest receipt when this group commit wrote it; otherwise the receipt has it.
	erased slab.GenerationID
}

func (u *userRecord) details() storage.Details {
	return storage.Details{
		Sequence:     uint64(u.sequence),
		CreationDate: time.UnixMicro(u.created).UTC(),
		ChangeDate:   time.UnixMicro(u.changed).UTC(),
		Organization: u.organization,
	}
}

// generationRecord is a row of generation.
type generationRecord struct {
	slot    int64
	id      slab.GenerationID
	state   int64
	size    int64
	receipt int64
}

// userColumns is how many columns a userRecord takes.
const userColumns = 7

// scanID reads a generation's id. From a damaged row it returns an id that no slot has.
func scanID(row *sqlite3.Stmt, column int) (id slab.GenerationID) {
	copy(id[:], row.ColumnRawBlob(column))
	return id
}

// scanRegion reads a region of the slab.
func scanRegion(row *sqlite3.Stmt) slab.Region {
	return slab.Region{First: row.ColumnInt64(0), SlotPages: row.ColumnInt64(1), Slots: row.ColumnInt64(2)}
}

// scanUser reads a user. An organisation that is the expected one is not copied.
func scanUser(row *sqlite3.Stmt, expected string) userRecord {
	if organization := row.ColumnRawText(1); string(organization) != expected {
		expected = string(organization)
	}
	return userRecord{
		uid:          row.ColumnInt64(0),
		organization: expected,
		created:      row.ColumnInt64(2),
		changed:      row.ColumnInt64(3),
		sequence:     row.ColumnInt64(4),
		receipt:      row.ColumnInt64(5),
		state:        storage.RegistrationState(row.ColumnInt64(6)),
	}
}

// user looks up a user inside an organisation. The errors are storage.ErrUserNotFound and ErrOtherOrganization. With the latter the
// record is returned all the same, and with the former that of a user who is off the record.
func (r *groupCommit) user(key storage.UserKey, organization string) (u userRecord, err error) {
	return r.lookUp(sqlUser, nil, key, organization)
}

// userAndGenerations is user, and returns the generations whose erasure is not finished, too, except the one in the slot keep. They are
// valid until the next call.
func (r *groupCommit) userAndGenerations(key storage.UserKey, organization string, keep int64) (u userRecord, gens []generationRecord, err error) {
	gens = r.room[:0]
	u, err = r.lookUp(sqlUserAndGenerations, func(row *sqlite3.Stmt) {
		if row.ColumnInt64(userColumns) != 0 { // slots count from 1
			gens = r.appendUnfinished(gens, row, userColumns, keep)
		}
	}, key, organization)
	return u, gens, err
}

// lookUp runs a query whose first columns are a user's, and calls each for every row of it.
func (r *groupCommit) lookUp(query statement, each func(row *sqlite3.Stmt), key storage.UserKey, organization string) (u userRecord, err error) {
	iid, err := r.issuer(key.Issuer, false)
	if err != nil {
		return u, err
	}
	found := false
	if iid != 0 {
		err = r.db.rows(query, func(row *sqlite3.Stmt) bool {
			if !found {
				u = scanUser(row, organization)
			}
			found = true
			if each != nil {
				each(row)
			}
			return each != nil
		}, key.ID, iid)
		if err != nil {
			return u, err
		}
	}
	if !found || !u.state.On() {
		return u, fmt.Errorf("%w: %q", storage.ErrUserNotFound, key.ID)
	}
	if u.organization != organization {
		return u, fmt.Errorf("%w: %q", storage.ErrOtherOrganization, key.ID)
	}
	return u, nil
}

// mayRegister returns why a user who was not found cannot be registered. u is what was found of them.
func (r *groupCommit) mayRegister(u *userRecord, key storage.UserKey, organization string, readmits bool) error {
	if r.organizationState(organization).Refuses() {
		return fmt.Errorf("%w: %q", storage.ErrOrganizationEnded, organization)
	}
	if u.state.Refuses() && !readmits {
		return fmt.Errorf("%w: %q", storage.ErrUserEnded, key.ID)
	}
	return nil
}

// register adds a user who was not found and, where needed, issuer and organisation. A user who was taken off the record goes on with the
// earlier one, which u holds then.
func (r *groupCommit) register(u userRecord, key storage.UserKey, organization string, by storage.Origin) (userRecord, error) {
	if _, err := r.addOrganization(organization, false); err != nil {
		return u, err
	}
	iid, err := r.issuer(key.Issuer, true)
	if err != nil {
		return u, err
	}
	if u.uid != 0 {
		u.state, u.organization, u.created, u.changed = storage.Registered, organization, r.now, max(r.now, u.changed) // the clock may have been set back
		u.sequence++
		if err := r.db.run(sqlReviveUser, u.uid, u.organization, u.created, u.changed, u.sequence); err != nil {
			return u, err
		}
		return u, r.audit(storage.ActionRegister, organization, key.ID, by)
	}
	if err := r.db.run(sqlAddUser, iid, key.ID, organization, r.now); err != nil {
		return u, err
	}
	u = userRecord{uid: r.db.conn.LastInsertRowID(), organization: organization, created: r.now, changed: r.now, sequence: 1}
	return u, r.audit(storage.ActionRegister, organization, key.ID, by)
}

// change counts one change of the user's record.
func (r *groupCommit) change(u *userRecord) error {
	u.sequence++
	u.changed = max(r.now, u.changed) // the clock may have been set back
	return r.db.run(sqlChangeUser, u.uid, u.changed, u.sequence, orNull(u.receipt))
}

// generations returns the user's generations whose erasure is not finished.
func (r *groupCommit) generations(uid int64) (gens []generationRecord, err error) {
	err = r.db.rows(sqlGenerations, func(row *sqlite3.Stmt) bool {
		gens = r.appendUnfinished(gens, row, 0, 0)
		return true
	}, uid)
	return gens, err
}

// appendUnfinished appends the generation that stands in the row from a column on, unless it is erased or in the slot keep.
func (r *groupCommit) appendUnfinished(gens []generationRecord, row *sqlite3.Stmt, column int, keep int64) []generationRecord {
	g := generationRecord{
		slot:    row.ColumnInt64(column),
		state:   row.ColumnInt64(column + 2),
		size:    row.ColumnInt64(column + 3),
		receipt: row.ColumnInt64(column + 4),
	}
	if g.slot == keep || g.state == stateErasing && !r.s.erasures.pending(g.receipt) {
		return gens
	}
	g.id = scanID(row, column+1)
	return append(gens, g)
}

// erase moves generations of a user to ERASING, each with a receipt, and puts their slots on the request. For generations that are
// ERASING already it only does the latter.
func (r *groupCommit) erase(t *request, u *userRecord, gens []generationRecord, reason int64) error {
	for i := range gens {
		g := &gens[i]
		region := r.s.slots.At(g.slot)
		if region == nil {
			return fmt.Errorf("%w: a picture at page %d, where no slot begins", storage.ErrDamaged, g.slot)
		}
		e := erasure{receipt: g.receipt, slot: g.slot, pages: region.SlotPages, since: r.now, abandoned: g.state == stateUploading}
		if g.state != stateErasing {
			why := reason
			if g.state == stateUploading {
				why = storage.ReasonAbandoned
			}
			e.receipt = r.nextReceipt
			r.nextReceipt++
			if err := r.db.run(sqlAddReceipt, e.receipt, u.uid, g.id[:], r.now, why, orNull(u.receipt)); err != nil {
				return err
			}
			hooks.Failpoint("erase-receipt")
			if err := r.db.run(sqlErase, g.slot, g.id[:], e.receipt); err != nil {
				return err
			}
			hooks.Failpoint("erase-state")
			u.receipt, u.erased = e.receipt, g.id
			t.intended = append(t.intended, e)
			if err := freeEarly(r.s, e); err != nil {
				return err
			}
		}
		t.erase = append(t.erase, e)
	}
	return nil
}

// result returns the part of the record that callers get.
func (r *groupCommit) result(u *userRecord) (storage.Result, error) {
	res := storage.Result{Details: u.details()}
	if u.receipt != 0 && u.erased != (slab.GenerationID{}) {
		res.Receipt = hex.EncodeToString(u.erased[:])
		return res, nil
	}
	receipt, err := r.shown(u.receipt)
	if err != nil || receipt == 0 {
		return res, err
	}
	// The id is the erased generation's: random, and the same that the picture's entity tag showed.
	err = r.db.rows(sqlReceipt, func(row *sqlite3.Stmt) bool {
		res.Receipt = hex.EncodeToString(row.ColumnRawBlob(0))
		return false
	}, receipt)
	return res, err
}
