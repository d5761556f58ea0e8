package embedded

import (
	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage/embedded/internal/hooks"
	"example.org/avatard/storage/receiptlog"
)

// The leaves that have the texts of records of the trail that are about to be dropped.
const (
	sqlSealedTrail = `SELECT l.place, l.salt, a.caller, a.caller_organization, a.request FROM receipt_log l INDEXED BY receipt_log_audit
		CROSS JOIN audit a ON a.seq = l.audit WHERE l.audit > ?1 AND l.audit <= ?2 AND a.time < ?3 AND l.salt IS NOT NULL`
	sqlSealedOrigins = `SELECT l.place, l.salt, o.caller, o.caller_organization, o.request FROM receipt_origin o
		CROSS JOIN receipt_log l ON l.receipt = o.receipt WHERE o.receipt > ?1 AND o.receipt <= ?2 AND o.time < ?3 AND l.salt IS NOT NULL`
)

// forgetTexts has the log keep the digests of the texts that a statement is about to drop, and not their salts, with which they could be
// guessed.
func (r *groupCommit) forgetTexts(drop statement, after, to, cutoff int64) error {
	sql, ok := map[statement]string{sqlDropAudit: sqlSealedTrail, sqlDropOrigins: sqlSealedOrigins}[drop]
	if !ok {
		return nil
	}
	type forgotten struct {
		place                 int64
		user, caller, request receiptlog.Digest
	}
	var all []forgotten
	err := r.db.once(sql, func(row *sqlite3.Stmt) bool {
		salts := receiptlog.Salt(column32(row, 1)).Fields()
		texts := receiptlog.Texts{Caller: row.ColumnText(2), CallerOrganization: row.ColumnText(3), Request: row.ColumnText(4)}
		f := forgotten{place: row.ColumnInt64(0), user: receiptlog.Digest(salts.User)}
		_, f.caller, f.request = texts.Digests(salts)
		all = append(all, f)
		return true
	}, after, to, cutoff)
	if err != nil {
		return err
	}
	for _, f := range all {
		if err := r.db.run(sqlForgetTrail, f.place, f.user[:], f.caller[:], f.request[:]); err != nil {
			return err
		}
	}
	if len(all) > 0 {
		hooks.Failpoint("prune-sealed")
	}
	return nil
}
