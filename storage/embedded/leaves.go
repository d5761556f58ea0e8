package embedded

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage/receiptlog"
)

const hashBytes = sha256.Size

// The receipts behind one number, up to another, as they are sealed: with what is shown of them then.
const sqlUnsealed = `SELECT ` + receiptColumns + `, r.organization IS NOT NULL, ifnull(a.seq, 0) FROM receipt r ` + receiptTables + `
	WHERE r.seq > ?1 AND r.seq <= ?2 ORDER BY r.seq`

// unsealedReceipt is a receipt that is to get its place.
type unsealedReceipt struct {
	seq int64
	receiptlog.Entry
	knowsOrganization bool  // else the log notes it
	audit             int64 // its record of the trail, 0 for none
}

func scanUnsealed(row *sqlite3.Stmt) unsealedReceipt {
	return unsealedReceipt{seq: row.ColumnInt64(0), knowsOrganization: row.ColumnBool(11), audit: row.ColumnInt64(12),
		Entry: receiptlog.Entry{ID: scanID(row, 1), Time: row.ColumnInt64(2), Reason: row.ColumnInt64(3), Organization: row.ColumnText(5),
			Texts: receiptlog.Texts{Issuer: row.ColumnText(6), User: row.ColumnText(7), Caller: row.ColumnText(8),
				CallerOrganization: row.ColumnText(9), Request: row.ColumnText(10)}}}
}

// Places of the log with what their leaves are made of now, whatever is missing of it.
const (
	sqlSealed = `SELECT l.place, r.generation, r.time, r.reason, coalesce(r.organization, l.organization, ''), ifnull(n.url, ''), ifnull(u.id, ''),
		coalesce(a.caller, o.caller, ''), coalesce(a.caller_organization, o.caller_organization, ''), coalesce(a.request, o.request, ''),
		l.salt, l.user_salt, l.caller, l.request, ifnull(i.url, ''), h.hashes, l.receipt <= (SELECT pruned FROM store)
		FROM receipt_log l LEFT JOIN receipt r ON r.seq = l.receipt LEFT JOIN user u ON u.uid = r.uid LEFT JOIN issuer i ON i.iid = u.iid
		LEFT JOIN receipt_issuer n ON n.number = l.issuer LEFT JOIN audit a ON a.seq = r.audit LEFT JOIN receipt_origin o ON o.receipt = l.receipt
		LEFT JOIN receipt_hash h ON h.place = l.place `
	sqlSealedPlaces  = sqlSealed + `WHERE l.place >= ?1 AND l.place < ?2 ORDER BY l.place LIMIT ?3`
	sqlSealedReceipt = sqlSealed + `WHERE l.receipt = ?1`
)

// sealedReceipt is a place of the log.
type sealedReceipt struct {
	receiptlog.Row
	salts receiptlog.FieldSalts // of the texts that are shown
	gone  bool                  // there is no record of the receipt
	old   bool                  // the record may have been dropped because of its age, and the log has forgotten what it was of
}

func scanSealed(row *sqlite3.Stmt) (p sealedReceipt) {
	p.Index = row.ColumnInt64(0)
	copy(p.Hash[:], row.ColumnRawBlob(15))
	salt, userSalt := column32(row, 10), column32(row, 11)
	if row.ColumnType(1) == sqlite3.NULL {
		none := receiptlog.Salt{}
		p.gone, p.old = true, row.ColumnBool(16) && salt == none && userSalt == none
		return p
	}
	texts := receiptlog.Texts{Issuer: row.ColumnText(5), User: row.ColumnText(6), Caller: row.ColumnText(7),
		CallerOrganization: row.ColumnText(8), Request: row.ColumnText(9)}
	p.salts = receiptlog.Salt(salt).Fields()
	forgotten := row.ColumnType(10) == sqlite3.NULL // the texts of the trail
	if forgotten {
		p.salts = receiptlog.FieldSalts{User: userSalt}
	}
	leaf := receiptlog.Leaf{ID: scanID(row, 1), Time: row.ColumnInt64(2), Reason: row.ColumnInt64(3), Organization: row.ColumnText(4)}
	leaf.User, leaf.Caller, leaf.Request = texts.Digests(p.salts)
	if forgotten && texts.Caller+texts.CallerOrganization+texts.Request == "" {
		leaf.Caller, leaf.Request = column32(row, 12), column32(row, 13)
	}
	if row.ColumnText(14) != texts.Issuer { // what is shown of the user is not what was sealed
		p.salts.User = receiptlog.Salt{}
	}
	p.Leaf = &leaf
	return p
}

func column32(row *sqlite3.Stmt, column int) (value [hashBytes]byte) {
	copy(value[:], row.ColumnRawBlob(column))
	return value
}

// keptHashes reads the hashes of the log. One that is missing is zero, so that a walk names its place.
type keptHashes struct{ s *Store }

// Hashes implements [receiptlog.HashReader].
func (k keptHashes) Hashes(ctx context.Context, indexes []int64) ([]receiptlog.Hash, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	hashes := make([]receiptlog.Hash, len(indexes))
	err := k.s.look(func(db *database) error {
		for i, index := range indexes {
			place, before := receiptlog.Completing(index)
			err := db.rows(sqlHashes, func(row *sqlite3.Stmt) bool {
				if kept := row.ColumnRawBlob(0); len(kept) >= (before+1)*hashBytes {
					copy(hashes[i][:], kept[before*hashBytes:])
				}
				return false
			}, place)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read hashes of the log of receipts: %w", err)
	}
	return hashes, nil
}

// joined returns the bytes of hashes.
func joined(hashes []receiptlog.Hash) []byte {
	b := make([]byte, 0, len(hashes)*hashBytes)
	for _, hash := range hashes {
		b = append(b, hash[:]...)
	}
	return b
}
