package embedded

import (
	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
)

// trail is a table of the audit trail: of changes, or of refused calls.
type trail struct {
	table, result string
	after         int64 // the newest row that is known already
	from, to      int64 // newest row when the backup began and when it ended
}

func newTrails(after storage.TrailPosition) []*trail {
	return []*trail{{table: "audit", result: "result", after: after.Changes}, {table: "refusal", result: "reason", after: after.Refusals}}
}

// newest returns the newest row.
func (tr *trail) newest(db *database) (seq int64, err error) {
	err = db.once(`SELECT ifnull(max(seq), 0) FROM `+tr.table, func(row backupRow) bool {
		seq = row.ColumnInt64(0)
		return true
	})
	return seq, err
}

// write writes the rows after one number, up to another. Rows that are pruned meanwhile are left out.
func (tr *trail) write(b *export, after, to int64) error {
	for after < to {
		if err := b.ctx.Err(); err != nil {
			return err
		}
		var rows []storage.AuditRecord
		err := b.s.look(func(db *database) (err error) {
			rows, err = tr.read(db, after, to, backupPageRows)
			return err
		})
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return nil
		}
		for _, r := range rows {
			if err := b.write(r); err != nil {
				return err
			}
		}
		after = rows[len(rows)-1].Number
	}
	return nil
}

// refusals reports whether it is the table of refused calls.
func (tr *trail) refusals() bool { return tr.table == "refusal" }

// read reads at most limit rows after one number, up to another.
func (tr *trail) read(db *database, after, to int64, limit int) (rows []storage.AuditRecord, err error) {
	err = db.once(`SELECT seq, time, action, `+tr.result+`, caller, caller_organization, organization, target, request, dropped
		FROM `+tr.table+` WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3`, func(row *sqlite3.Stmt) bool {
		rows = append(rows, storage.AuditRecord{Number: row.ColumnInt64(0), Time: row.ColumnInt64(1), Action: row.ColumnText(2),
			Result: row.ColumnText(3), Caller: row.ColumnText(4), CallerOrganization: row.ColumnText(5),
			Organization: row.ColumnText(6), Target: row.ColumnText(7), Request: row.ColumnText(8), Dropped: row.ColumnInt64(9),
			Refusal: tr.refusals()})
		return true
	}, after, to, limit)
	return rows, err
}
