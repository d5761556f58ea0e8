package embedded

import (
	"errors"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/datadir"
	"example.org/avatard/storage/embedded/internal/slab"
)

// scratchName is a database beside the one that is built, for tables that only a restore needs, such as the pictures that are erased. In
// memory they would grow with the store.
const scratchName = "scratch.db"

const scratchSchema = `
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA temp_store = MEMORY;
CREATE TABLE erased (generation BLOB NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE picture (uid INTEGER PRIMARY KEY, generation BLOB) STRICT;
CREATE TABLE theirs (uid INTEGER PRIMARY KEY, ours INTEGER NOT NULL) STRICT;
`

// restoreDB is the metadata of a store that is being built. It has the whole schema, so it refuses rows that no store may have.
type restoreDB struct {
	*database
	scratch     *database
	lastReceipt int64
	lastEnd     int64                      // numbers the users who have ended
	moves       []storage.IssuerMoveRecord // all that are on record
	prepared    map[string]*sqlite3.Stmt
}

func openRestoreDB(dir datadir.Dir) (*restoreDB, error) {
	db, err := openDatabase(dir, (*database).truncateLog, nil)
	if err != nil {
		return nil, err
	}
	r := &restoreDB{database: db, prepared: make(map[string]*sqlite3.Stmt)}
	if r.scratch, err = connect(dir, scratchName); err == nil {
		err = r.scratch.conn.Exec(scratchSchema)
	}
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (r *restoreDB) close() error {
	var errs []error
	for _, stmt := range r.prepared {
		errs = append(errs, stmt.Close())
	}
	r.prepared = nil
	if r.scratch != nil {
		errs = append(errs, r.scratch.close())
		r.scratch = nil
	}
	if r.database != nil {
		errs = append(errs, r.database.close())
		r.database = nil
	}
	return errors.Join(errs...)
}

func (r *restoreDB) begin() error {
	return errors.Join(r.conn.Exec("BEGIN IMMEDIATE"), r.scratch.conn.Exec("BEGIN IMMEDIATE"))
}

func (r *restoreDB) commit() error {
	return errors.Join(unfit(r.conn.Exec("COMMIT")), r.scratch.conn.Exec("COMMIT"))
}

// unfit turns an error of the schema into one that blames the file.
func unfit(err error) error {
	if errors.Is(err, sqlite3.CONSTRAINT) {
		return fmt.Errorf("%w: its records do not fit together: %w", storage.ErrExportDamaged, err)
	}
	return err
}

func (r *restoreDB) again() error { return errors.Join(r.commit(), r.begin()) }

// finish makes what was built the database of a store at rest.
func (r *restoreDB) finish(horizon time.Time) error {
	micros := int64(0)
	if !horizon.IsZero() {
		micros = max(0, horizon.UnixMicro())
	}
	if err := r.do(r.database, `UPDATE store SET watermark = ?1, indexed = ?1, horizon = ?2 WHERE one = 1`, r.lastReceipt, micros); err != nil {
		return err
	}
	if err := r.truncateLog(); err != nil {
		return err
	}
	return r.close()
}

// ask runs a statement that is kept prepared, on one of the two databases, and calls row for what it returns.
func (r *restoreDB) ask(db *database, sql string, row func(*sqlite3.Stmt), args ...any) error {
	stmt := r.prepared[sql]
	if stmt == nil {
		var err error
		if stmt, _, err = db.conn.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT); err != nil {
			return err
		}
		r.prepared[sql] = stmt
	}
	if err := bind(stmt, nil, args); err != nil {
		return err
	}
	for stmt.Step() {
		row(stmt)
	}
	err := stmt.Err()
	if rerr := stmt.Reset(); err == nil {
		err = rerr
	}
	return unfit(err)
}

func (r *restoreDB) do(db *database, sql string, args ...any) error {
	return r.ask(db, sql, func(*sqlite3.Stmt) {}, args...)
}

func (r *restoreDB) addStore(id slab.GenerationID) error {
	return r.do(r.database, `INSERT INTO store (one, id) VALUES (1, ?1)`, id[:])
}

// addUser adds a user or replaces the record of that number.
func (r *restoreDB) addUser(u storage.UserRecord) error {
	err := r.do(r.database, `INSERT INTO user (uid, iid, id, organization, created, changed, sequence, removed, ended) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
		ON CONFLICT (uid) DO UPDATE SET organization = excluded.organization, created = excluded.created, changed = excluded.changed,
		sequence = excluded.sequence, removed = excluded.removed, ended = excluded.ended WHERE id = excluded.id AND iid = excluded.iid`,
		u.Number, u.Issuer, u.ID, u.Organization, u.Created, u.Changed, u.Sequence, int64(u.State), r.end(u.State))
	if err == nil && r.conn.Changes() != 1 {
		err = fmt.Errorf("%w: user %q has the number of another user", storage.ErrExportDamaged, u.ID)
	}
	return err
}

// end returns the number of a user who has ended, nil for any other.
func (r *restoreDB) end(state storage.RegistrationState) any {
	if state != storage.Ended {
		return nil
	}
	r.lastEnd++
	return r.lastEnd
}

// mergeUser adds a user of another file, under a number of this store, or replaces the user's record if it is older.
func (r *restoreDB) mergeUser(u storage.UserRecord) error {
	err := r.do(r.database, `INSERT INTO user (uid, iid, id, organization, created, changed, sequence, removed, ended) VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
		ON CONFLICT (id, iid) DO UPDATE SET organization = excluded.organization, created = excluded.created, changed = excluded.changed,
		sequence = excluded.sequence, removed = excluded.removed, ended = excluded.ended WHERE excluded.sequence > sequence`,
		u.Issuer, u.ID, u.Organization, u.Created, u.Changed, u.Sequence, int64(u.State), r.end(u.State))
	if err != nil {
		return err
	}
	ours := int64(0)
	err = r.ask(r.database, `SELECT uid FROM user WHERE id = ?1 AND iid = ?2`, func(row *sqlite3.Stmt) { ours = row.ColumnInt64(0) }, u.ID, u.Issuer)
	if err != nil {
		return err
	}
	return r.do(r.scratch, `INSERT INTO theirs (uid, ours) VALUES (?1, ?2) ON CONFLICT (uid) DO UPDATE SET ours = excluded.ours`, u.Number, ours)
}

// forgetTheirs forgets the numbers of the last file, before another one is read.
func (r *restoreDB) forgetTheirs() error { return r.do(r.scratch, `DELETE FROM theirs`) }

// ours returns the number in this store of a user of another file.
func (r *restoreDB) ours(theirs int64) (uid int64, err error) {
	err = r.ask(r.scratch, `SELECT ours FROM theirs WHERE uid = ?1`, func(row *sqlite3.Stmt) { uid = row.ColumnInt64(0) }, theirs)
	if err == nil && uid == 0 {
		err = fmt.Errorf("%w: a receipt of a user who is not in it", storage.ErrExportDamaged)
	}
	return uid, err
}

// addReceipt adds a receipt to the end of a user's chain.
func (r *restoreDB) addReceipt(rec storage.ReceiptRecord, uid int64) error {
	if err := r.do(r.database, `INSERT INTO receipt (seq, uid, generation, time, reason, previous, organization)
		VALUES (?1, ?2, ?3, ?4, ?5, (SELECT receipt FROM user WHERE uid = ?2), nullif(?6, ''))`, rec.Number, uid, rec.Generation[:], rec.Time,
		rec.Reason, rec.Organization); err != nil {
		return err
	}
	if err := r.describeReceipt(rec); err != nil {
		return err
	}
	if err := r.do(r.database, `UPDATE user SET receipt = ?2 WHERE uid = ?1`, uid, rec.Number); err != nil {
		return err
	}
	r.lastReceipt = rec.Number
	return r.do(r.scratch, `INSERT INTO erased (generation) VALUES (?1) ON CONFLICT (generation) DO NOTHING`, rec.Generation[:])
}

// describeReceipt adds what is found with a receipt. Until the receipts are indexed, a search would look through all of them.
func (r *restoreDB) describeReceipt(rec storage.ReceiptRecord) error {
	if rec.Caller+rec.CallerOrganization+rec.Request != "" {
		if err := r.do(r.database, `INSERT INTO receipt_origin (receipt, time, caller, caller_organization, request) VALUES (?1, ?2, ?3, ?4, ?5)`,
			rec.Number, rec.Time, rec.Caller, rec.CallerOrganization, rec.Request); err != nil {
			return err
		}
	}
	return r.do(r.database, `INSERT INTO receipt_generation (run, generation, receipt) VALUES (?1 >> 12, ?2, ?1)`, rec.Number, rec.Generation[:])
}

// erased reports whether a receipt names a picture.
func (r *restoreDB) erased(generation slab.GenerationID) (known bool, err error) {
	err = r.ask(r.scratch, `SELECT 1 FROM erased WHERE generation = ?1`, func(*sqlite3.Stmt) { known = true }, generation[:])
	return known, err
}

func (r *restoreDB) addAudit(a storage.AuditRecord) error {
	into := `audit (seq, time, action, result,`
	if a.Refusal {
		into = `refusal (seq, time, action, reason,`
	}
	return r.do(r.database, `INSERT INTO `+into+` caller, caller_organization, organization, target, request, dropped)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)`, a.Number, a.Time, a.Action, a.Result, a.Caller, a.CallerOrganization,
		a.Organization, a.Target, a.Request, a.Dropped)
}

// expectPicture notes that a user has a picture, forgetPicture that there is none, notePicture which one it is.
func (r *restoreDB) expectPicture(uid int64) error {
	return r.do(r.scratch, `INSERT INTO picture (uid) VALUES (?1) ON CONFLICT (uid) DO NOTHING`, uid)
}

func (r *restoreDB) forgetPicture(uid int64) error {
	return r.do(r.scratch, `DELETE FROM picture WHERE uid = ?1`, uid)
}

func (r *restoreDB) notePicture(uid int64, generation slab.GenerationID) error {
	return r.do(r.scratch, `UPDATE picture SET generation = ?2 WHERE uid = ?1`, uid, generation[:])
}

// takePicture reports, once, whether a picture is the one that was noted last.
func (r *restoreDB) takePicture(uid int64, generation slab.GenerationID) (ok bool, err error) {
	err = r.do(r.scratch, `DELETE FROM picture WHERE uid = ?1 AND generation = ?2`, uid, generation[:])
	return r.scratch.conn.Changes() == 1, err
}

// missing counts the pictures that were expected and never taken.
func (r *restoreDB) missing() (n int64, err error) {
	err = r.ask(r.scratch, `SELECT count(*) FROM picture`, func(row *sqlite3.Stmt) { n = row.ColumnInt64(0) })
	return n, err
}

// addRegion adds slots.
func (r *restoreDB) addRegion(g slab.Region) error {
	return r.do(r.database, `INSERT INTO region (first, slot_pages, slots) VALUES (?1, ?2, ?3)`, g.First, g.SlotPages, g.Slots)
}

// addGeneration makes a picture in a slot the active one of a user.
func (r *restoreDB) addGeneration(slot, uid int64, p storage.PictureRecord) error {
	if err := r.do(r.database, `INSERT INTO generation (slot, id, uid, state, size, format, receipt) VALUES (?1, ?2, ?3, 1, ?4, ?5, NULL)`,
		slot, p.Generation[:], uid, int64(len(p.Data)), int64(p.Format)); err != nil {
		return err
	}
	return r.do(r.database, `UPDATE generation SET state = 2 WHERE slot = ?1`, slot)
}
