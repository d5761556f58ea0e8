package embedded

import (
	"errors"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
)

// addOrganization adds an organisation, or replaces the record of it: the newest one comes last.
func (r *restoreDB) addOrganization(o storage.OrganizationRecord) error {
	return r.do(r.database, `INSERT INTO organization (id, created, removed) VALUES (?1, ?2, ?3)
		ON CONFLICT (id) DO UPDATE SET created = excluded.created, removed = excluded.removed`, o.ID, o.Created, int64(o.State))
}

// mergeOrganization adds an organisation of another file, unless one of that id is known: that of the newer file counts.
func (r *restoreDB) mergeOrganization(o storage.OrganizationRecord, newer bool) error {
	if newer {
		return r.addOrganization(o)
	}
	return r.do(r.database, `INSERT INTO organization (id, created, removed) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO NOTHING`,
		o.ID, o.Created, int64(o.State))
}

// settleRemoved makes the records of several files consistent: a user who is off the record has no picture, whatever another file
// says, and the organisation of every registered user is on the record. One that has ended is ending then.
func (r *restoreDB) settleRemoved() error {
	if err := r.do(r.database, `UPDATE organization SET removed = CASE removed WHEN 2 THEN 3 ELSE 0 END
		WHERE removed IN (1, 2) AND id IN (SELECT organization FROM user WHERE removed = 0)`); err != nil {
		return err
	}
	var failed error
	err := r.once(`SELECT uid FROM user WHERE removed <> 0`, func(row *sqlite3.Stmt) bool {
		failed = r.forgetPicture(row.ColumnInt64(0))
		return failed == nil
	})
	return errors.Join(err, failed)
}
