package embedded

import (
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

// statement numbers a prepared statement.
type statement int

const (
	sqlBegin statement = iota
	sqlCommit
	sqlWatermark
	sqlProbe
	sqlReceiptDone
	sqlUser
	sqlUserAndGenerations
	sqlUserByUID
	sqlGenerations
	sqlActive
	sqlStillActive
	sqlReceipt
	sqlAddIssuer
	sqlNameIssuer
	sqlAddIssuerMove
	sqlAddOrganization
	sqlSetOrganization
	sqlOrganizationUser
	sqlAddUser
	sqlEndUser
	sqlReviveUser
	sqlReserve
	sqlActivate
	sqlErase
	sqlAddReceipt
	sqlChangeUser
	sqlMoveUser
	sqlUserReceipt
	sqlAddRegion
	sqlOwnedSlots
	sqlForgetSlots
	sqlRemoveRegion
	sqlAudit
	sqlRefusal
	sqlQuarantine
	sqlOldAudit
	sqlDropAudit
	sqlOldRefusals
	sqlDropRefusals
	sqlRefusalRange
	sqlPruned
	sqlSetPruned
	sqlOldReceipts
	sqlDropReceipt
	sqlDropGeneration
	sqlChainReceipt
	sqlOldOrigins
	sqlDropOrigins
	sqlIndexReceipts
	sqlSetIndexed
	sqlAddSealed
	sqlAddHashes
	sqlHashes
	sqlDropSealed
	sqlForgetTrail
	sqlAddSealedIssuer
	sqlAddUnfinished
	sqlDropUnfinished
	sqlSetHead
	numStatements
)

// statements are all that the engine asks of SQLite while it serves. Parameters count from 1.
//
// An update calls no functions: they might fail halfway, so SQLite would keep copies of pages for it to be undone alone.
var statements = [numStatements]string{
	sqlBegin:       `BEGIN IMMEDIATE`,
	sqlCommit:      `COMMIT`,
	sqlWatermark:   `UPDATE OR ROLLBACK store SET watermark = ?1 WHERE one = 1`,
	sqlProbe:       `UPDATE OR ROLLBACK store SET probes = probes + 1 WHERE one = 1`,
	sqlReceiptDone: `UPDATE OR ROLLBACK receipt SET done = 1 WHERE seq = ?1`,
	sqlUser: `SELECT uid, organization, created, changed, sequence, receipt, removed
		FROM user WHERE id = ?1 AND iid = ?2`,
	sqlUserAndGenerations: `SELECT u.uid, u.organization, u.created, u.changed, u.sequence, u.receipt, u.removed,
		g.slot, g.id, g.state, g.size, g.receipt
		FROM user u LEFT JOIN generation g ON g.uid = u.uid WHERE u.id = ?1 AND u.iid = ?2`,
	sqlUserByUID:   `SELECT uid, organization, created, changed, sequence, receipt, removed FROM user WHERE uid = ?1`,
	sqlGenerations: `SELECT slot, id, state, size, receipt FROM generation WHERE uid = ?1`,
	sqlActive: `SELECT u.organization, u.created, u.changed, u.sequence, g.slot, g.id, g.size, g.format
		FROM user u LEFT JOIN generation g ON g.uid = u.uid AND g.state = 2 WHERE u.id = ?1 AND u.iid = ?2 AND u.removed = 0`,
	sqlStillActive:   `SELECT 1 FROM generation WHERE slot = ?1 AND id = ?2 AND state = 2`,
	sqlReceipt:       `SELECT generation FROM receipt WHERE seq = ?1`,
	sqlAddIssuer:     `INSERT OR ROLLBACK INTO issuer (iid, url) VALUES (?1, ?2)`,
	sqlNameIssuer:    `UPDATE OR ROLLBACK issuer SET url = ?2 WHERE iid = ?1`,
	sqlAddIssuerMove: `INSERT OR ROLLBACK INTO issuer_move (seq, old, new) VALUES (NULL, ?1, ?2)`,
	sqlAddOrganization: `INSERT OR ROLLBACK INTO organization (id, created) VALUES (?1, ?2)
		ON CONFLICT (id) DO UPDATE SET created = excluded.created, removed = 0`,
	sqlSetOrganization:  `UPDATE OR ROLLBACK organization SET removed = ?2 WHERE id = ?1`,
	sqlOrganizationUser: `SELECT 1 FROM user WHERE organization = ?1 AND removed = 0 LIMIT 1`,
	sqlAddUser: `INSERT OR ROLLBACK INTO user (uid, iid, id, organization, created, changed, sequence)
		VALUES (NULL, ?1, ?2, ?3, ?4, ?4, 1)`,
	sqlEndUser:    `UPDATE OR ROLLBACK user SET removed = 2, ended = ?4, changed = ?2, sequence = ?3 WHERE uid = ?1`,
	sqlReviveUser: `UPDATE OR ROLLBACK user SET removed = 0, ended = NULL, organization = ?2, created = ?3, changed = ?4, sequence = ?5 WHERE uid = ?1`,
	sqlReserve: `INSERT OR ROLLBACK INTO generation (slot, id, uid, state, size, format, receipt) VALUES (?1, ?2, ?3, 1, ?4, ?5, NULL)
		ON CONFLICT (slot) DO UPDATE SET id = excluded.id, uid = excluded.uid, state = 1, size = excluded.size,
		format = excluded.format, receipt = NULL`,
	sqlActivate: `UPDATE OR ROLLBACK generation SET state = 2 WHERE slot = ?1 AND id = ?2`,
	sqlErase:    `UPDATE OR ROLLBACK generation SET state = 3, receipt = ?3 WHERE slot = ?1 AND id = ?2`,
	// Who has caused it stands in the next record of the trail, which the same change writes. An upload that is given up has none.
	sqlAddReceipt: `INSERT OR ROLLBACK INTO receipt (seq, uid, generation, time, reason, previous, organization, audit)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, (SELECT organization FROM user WHERE uid = ?2),
		CASE ?5 WHEN 3 THEN NULL ELSE ifnull((SELECT seq FROM audit ORDER BY seq DESC LIMIT 1), 0) + 1 END)`,
	sqlChangeUser:  `UPDATE OR ROLLBACK user SET changed = ?2, sequence = ?3, receipt = ?4 WHERE uid = ?1`,
	sqlMoveUser:    `UPDATE OR ROLLBACK user SET organization = ?2, changed = ?3, sequence = ?4 WHERE uid = ?1`,
	sqlUserReceipt: `UPDATE OR ROLLBACK user SET receipt = ?2 WHERE uid = ?1`,
	sqlAddRegion:   `INSERT OR ROLLBACK INTO region (first, slot_pages, slots) VALUES (?1, ?2, ?3)`,
	// Slots of erasures that are on record are not among them, except those above the watermark.
	sqlOwnedSlots: `SELECT slot, ifnull(receipt, 0), state = 3 AND EXISTS (SELECT 1 FROM receipt r WHERE r.seq = generation.receipt AND r.done = 1)
		FROM generation WHERE slot >= ?1 AND slot < ?2 AND (state <> 3 OR receipt > ?3)`,
	sqlForgetSlots:  `DELETE FROM generation WHERE slot >= ?1 AND slot < ?2`,
	sqlRemoveRegion: `DELETE FROM region WHERE first = ?1`,
	sqlQuarantine:   `INSERT OR ROLLBACK INTO quarantine (slot, receipt, time) VALUES (?1, ?2, ?3)`,
	sqlAudit: `INSERT OR ROLLBACK INTO audit (seq, time, action, result, caller, caller_organization, organization, target, request, dropped)
		VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)`,
	sqlRefusal: `INSERT OR ROLLBACK INTO refusal (seq, time, action, reason, caller, caller_organization, organization, target, request, dropped)
		VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)`,

	// Rows that have reached their age. The newest row of each table stays.
	sqlOldAudit:     `SELECT seq, time FROM audit WHERE seq > ?1 AND seq < (SELECT max(seq) FROM audit) ORDER BY seq LIMIT ?2`,
	sqlDropAudit:    `DELETE FROM audit WHERE seq > ?1 AND seq <= ?2 AND time < ?3`,
	sqlOldRefusals:  `SELECT seq, time FROM refusal WHERE seq > ?1 AND seq < (SELECT max(seq) FROM refusal) ORDER BY seq LIMIT ?2`,
	sqlDropRefusals: `DELETE FROM refusal WHERE seq > ?1 AND seq <= ?2 AND time < ?3`,
	sqlRefusalRange: `SELECT (SELECT min(seq) FROM refusal), (SELECT max(seq) FROM refusal) FROM store WHERE one = 1`,
	sqlPruned:       `SELECT pruned, horizon, watermark FROM store WHERE one = 1`,
	sqlSetPruned:    `UPDATE OR ROLLBACK store SET pruned = ?1, horizon = ?2 WHERE one = 1`,
	sqlOldReceipts: `SELECT r.seq, r.uid, r.time, ifnull(r.previous, 0), u.receipt = r.seq
		FROM receipt r CROSS JOIN user u ON u.uid = r.uid WHERE r.seq > ?1 AND r.seq <= ?2 ORDER BY r.seq LIMIT ?3`,
	sqlDropReceipt: `DELETE FROM receipt WHERE seq = ?1 AND uid = ?2 AND NOT EXISTS (SELECT 1 FROM quarantine WHERE receipt = ?1)`,
	// A receipt for a check: what it is of, whether it is finished, and whether the generation says that it is being erased.
	sqlChainReceipt: `SELECT r.uid, r.generation, ifnull(r.previous, 0), r.done OR r.seq <= (SELECT watermark FROM store) OR
		EXISTS (SELECT 1 FROM generation g WHERE g.uid = r.uid AND g.state = 3 AND g.receipt = r.seq AND g.id = r.generation)
		FROM receipt r WHERE r.seq = ?1`,
	sqlOldOrigins:      `SELECT receipt, time FROM receipt_origin WHERE receipt > ?1 ORDER BY receipt LIMIT ?2`,
	sqlDropOrigins:     `DELETE FROM receipt_origin WHERE receipt > ?1 AND receipt <= ?2 AND time < ?3`,
	sqlIndexReceipts:   `INSERT OR ROLLBACK INTO receipt_generation SELECT seq >> 12, generation, seq FROM receipt WHERE seq > ?1 AND seq <= ?2`,
	sqlSetIndexed:      `UPDATE OR ROLLBACK store SET indexed = ?1 WHERE one = 1`,
	sqlAddSealed:       `INSERT OR ROLLBACK INTO receipt_log (place, receipt, issuer, organization, audit, salt) VALUES (?1, ?2, ?3, ?4, ?5, ?6)`,
	sqlAddHashes:       `INSERT OR ROLLBACK INTO receipt_hash (place, hashes) VALUES (?1, ?2)`,
	sqlAddSealedIssuer: `INSERT OR ROLLBACK INTO receipt_issuer (number, url) VALUES (?1, ?2)`,
	sqlAddUnfinished:   `INSERT OR ROLLBACK INTO receipt_unfinished (receipt) VALUES (?1)`,
	sqlDropUnfinished:  `DELETE FROM receipt_unfinished WHERE receipt = ?1`,
	sqlSetHead: `INSERT OR ROLLBACK INTO receipt_head (one, sealed, frontier, head) VALUES (1, ?1, ?2, ?3)
		ON CONFLICT (one) DO UPDATE SET sealed = excluded.sealed, frontier = excluded.frontier, head = excluded.head`,
	sqlHashes: `SELECT hashes FROM receipt_hash WHERE place = ?1`,
	// What says in the log whom and what a receipt is of, with the receipt; and the texts of the trail, with these.
	sqlDropSealed: `UPDATE OR ROLLBACK receipt_log SET issuer = NULL, organization = NULL, audit = NULL, salt = NULL, user_salt = NULL,
		caller = NULL, request = NULL WHERE receipt = ?1`,
	sqlForgetTrail:    `UPDATE OR ROLLBACK receipt_log SET audit = NULL, salt = NULL, user_salt = ?2, caller = ?3, request = ?4 WHERE place = ?1`,
	sqlDropGeneration: `DELETE FROM generation WHERE uid = ?1 AND receipt = ?2 AND state = 3 AND NOT EXISTS (SELECT 1 FROM quarantine WHERE receipt = ?2)`,
}

// changesUsers are the statements that change what rows remembers of users. A change that runs one of them has the user's key on its
// request; otherwise all users are forgotten.
var changesUsers = [numStatements]bool{sqlNameIssuer: true, sqlAddUser: true, sqlEndUser: true, sqlReviveUser: true, sqlActivate: true,
	sqlErase: true, sqlChangeUser: true, sqlMoveUser: true}

// changesOneRow are the statements that fail unless they change exactly one row.
var changesOneRow = [numStatements]bool{sqlWatermark: true, sqlProbe: true, sqlNameIssuer: true, sqlSetOrganization: true, sqlEndUser: true,
	sqlReviveUser: true, sqlReserve: true, sqlActivate: true, sqlErase: true, sqlChangeUser: true, sqlMoveUser: true, sqlRemoveRegion: true,
	sqlSetPruned: true}

// There are three ways to run a statement: run and rows for those of the list, which are kept prepared, and once for any other one.
// Arguments are int64, int, string, []byte or nil.

// run runs a statement of the list that returns no rows.
func (db *database) run(id statement, args ...any) error {
	if changesUsers[id] {
		db.usersChanged = true
	}
	stmt := db.stmts[id]
	if err := bind(stmt, &db.texts[id], args); err != nil {
		return err
	}
	if err := stmt.Exec(); err != nil || !changesOneRow[id] {
		return err
	}
	if n := db.conn.Changes(); n != 1 {
		return fmt.Errorf("%d rows changed, want 1: %s", n, statements[id])
	}
	return nil
}

// rows runs a statement of the list and calls row for each row of the result, as long as it returns true. Values that row reads from
// the statement are only valid until it returns.
func (db *database) rows(id statement, row func(*sqlite3.Stmt) bool, args ...any) error {
	stmt := db.stmts[id]
	if err := bind(stmt, &db.texts[id], args); err != nil {
		return err
	}
	for stmt.Step() && row(stmt) {
	}
	// Reset ends the read transaction and reports what ended the loop.
	err := stmt.Err()
	if rerr := stmt.Reset(); err == nil {
		err = rerr
	}
	return err
}

// once runs a statement that is not worth keeping, like rows. Without row it is one that changes something.
func (db *database) once(sql string, row func(*sqlite3.Stmt) bool, args ...any) error {
	if row == nil {
		db.usersChanged = true
	}
	stmt, _, err := db.conn.Prepare(sql)
	if err != nil {
		return err
	}
	defer stmt.Close()
	if err := bind(stmt, nil, args); err != nil {
		return err
	}
	for stmt.Step() && (row == nil || row(stmt)) {
	}
	return stmt.Err()
}

// number returns what a query for one number finds, 0 when it finds nothing.
func (db *database) number(sql string, args ...any) (n int64, err error) {
	err = db.once(sql, func(row *sqlite3.Stmt) bool {
		n = row.ColumnInt64(0)
		return false
	}, args...)
	return n, err
}

// maxParameters is how many parameters a statement of the list has at most.
const maxParameters = 9

// bind sets the parameters of a statement. last are the texts bound before, nil when they are not remembered: SQLite keeps them, so the
// same text need not be copied again.
func bind(stmt *sqlite3.Stmt, last *[maxParameters]string, args []any) (err error) {
	for i, arg := range args {
		text, isText := arg.(string)
		if isText && last != nil && text != "" && text == last[i] {
			continue
		}
		if last != nil {
			last[i] = ""
		}
		switch v := arg.(type) {
		case int64:
			err = stmt.BindInt64(i+1, v)
		case int:
			err = stmt.BindInt(i+1, v)
		case string:
			err = stmt.BindText(i+1, v)
		case []byte:
			err = stmt.BindBlob(i+1, v)
		case nil:
			err = stmt.BindNull(i + 1)
		default:
			panic("unsupported argument")
		}
		if err != nil {
			return err
		}
		if isText && last != nil {
			last[i] = text
		}
	}
	return nil
}

// orNull makes 0 an argument that is NULL.
func orNull(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}
