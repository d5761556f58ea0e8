package embedded

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// The columns that scanReceipt reads. Caller and request are those of the change that erased, as long as the trail has it.
const (
	receiptColumns = `r.seq, r.generation, r.time, r.reason, ifnull(r.previous, 0),
		coalesce(r.organization, (SELECT organization FROM receipt_log WHERE receipt = r.seq), u.organization), i.url, u.id,
		coalesce(a.caller, o.caller, ''), coalesce(a.caller_organization, o.caller_organization, ''), coalesce(a.request, o.request, '')`
	receiptTables = `CROSS JOIN user u ON u.uid = r.uid CROSS JOIN issuer i ON i.iid = u.iid
		LEFT JOIN audit a ON a.seq = r.audit LEFT JOIN receipt_origin o ON o.receipt = r.seq`
	sqlListReceipts = `SELECT ` + receiptColumns + ` FROM receipt r ` + receiptTables + ` WHERE r.seq < ?1 ORDER BY r.seq DESC LIMIT ?2`
	// From one on, along the chain of the user.
	sqlListUserReceipts = `WITH RECURSIVE chain (seq, before) AS (SELECT seq, previous FROM receipt WHERE seq = ?1 AND uid = ?2
		UNION ALL SELECT b.seq, b.previous FROM chain CROSS JOIN receipt b ON b.seq = chain.before LIMIT ?3)
		SELECT ` + receiptColumns + ` FROM chain CROSS JOIN receipt r ON r.seq = chain.seq ` + receiptTables
)

// ListReceipts implements [storage.Store]. Those of one user are found by their chain, others by looking through all of them. After is the
// number of the receipt behind which, or with which in a chain, the list goes on.
func (s *Store) ListReceipts(ctx context.Context, q storage.ReceiptQuery) (page storage.ReceiptPage, err error) {
	after, valid := receiptNumber(q.After)
	if !q.Valid() || !valid {
		return page, fmt.Errorf("list receipts: %w", storage.ErrInvalid)
	}
	if err := ctx.Err(); err != nil {
		return page, err
	}
	chosen := true
	err = s.look(func(db *database) (err error) {
		if q.User != (storage.UserKey{}) {
			return s.userReceipts(db, q, after, &page)
		}
		chosen, err = s.allReceipts(db, q, after, &page)
		return err
	})
	if err == nil && !chosen {
		err = storage.ErrInvalid
	}
	if err != nil {
		return storage.ReceiptPage{}, fmt.Errorf("list receipts: %w", err)
	}
	return page, nil
}

// allReceipts lists the receipts before one, 0 = from the newest. It reports whether a page could name that one.
func (s *Store) allReceipts(db *database, q storage.ReceiptQuery, before int64, page *storage.ReceiptPage) (chosen bool, err error) {
	newest, err := db.number(`SELECT ifnull(max(seq), 0) FROM receipt`)
	if err != nil || before > newest {
		return false, err
	}
	if before == 0 {
		before = newest + 1
	}
	rows, last := 0, int64(0)
	err = db.once(sqlListReceipts, func(row *sqlite3.Stmt) bool {
		rows, last = rows+1, row.ColumnInt64(0)
		return s.addReceipt(page, q, row)
	}, before, listRows)
	if rows == listRows || len(page.Receipts) == storage.MaxPage {
		page.Next = strconv.FormatInt(last, 10)
	}
	return true, err
}

// receiptNumber reads the number of a receipt, as pages name it; 0 for none.
func receiptNumber(text string) (seq int64, ok bool) {
	if text == "" {
		return 0, true
	}
	seq, err := strconv.ParseInt(text, 10, 64)
	return seq, err == nil && seq > 0 && strconv.FormatInt(seq, 10) == text
}

// userReceipts lists the receipts of one user from a receipt on, 0 = from the newest.
func (s *Store) userReceipts(db *database, q storage.ReceiptQuery, from int64, page *storage.ReceiptPage) error {
	iid, _ := s.registry.issuer(q.User.Issuer)
	var uid, newest int64
	err := db.once(`SELECT uid, ifnull(receipt, 0) FROM user WHERE id = ?1 AND iid = ?2`, func(row *sqlite3.Stmt) bool {
		uid, newest = row.ColumnInt64(0), row.ColumnInt64(1)
		return false
	}, q.User.ID, iid)
	if from == 0 {
		from = newest
	}
	if err != nil || from == 0 {
		return err
	}
	rows, previous := 0, int64(0)
	err = db.once(sqlListUserReceipts, func(row *sqlite3.Stmt) bool {
		rows, previous = rows+1, row.ColumnInt64(4)
		return s.addReceipt(page, q, row)
	}, from, uid, listRows)
	if previous != 0 && (rows == listRows || len(page.Receipts) == storage.MaxPage) {
		page.Next = strconv.FormatInt(previous, 10)
	}
	return err
}

// addReceipt adds a receipt to a page if the query lists it, and reports whether there is room for another one.
func (s *Store) addReceipt(page *storage.ReceiptPage, q storage.ReceiptQuery, row *sqlite3.Stmt) (room bool) {
	if r, ok := s.scanReceipt(row); ok && q.Admits(r) {
		page.Receipts = append(page.Receipts, r)
	}
	return len(page.Receipts) < storage.MaxPage
}

// scanReceipt reads a receipt; ok is false when its erasure is not finished.
func (s *Store) scanReceipt(row *sqlite3.Stmt) (r storage.Receipt, ok bool) {
	if !s.erasures.proven(row.ColumnInt64(0)) {
		return r, false
	}
	return storage.Receipt{
		ID: hex.EncodeToString(row.ColumnRawBlob(1)), Time: time.UnixMicro(row.ColumnInt64(2)).UTC(), Reason: row.ColumnInt64(3),
		Organization: row.ColumnText(5), User: storage.UserKey{Issuer: row.ColumnText(6), ID: row.ColumnText(7)},
		By: storage.Origin{Caller: row.ColumnText(8), CallerOrganization: row.ColumnText(9), RequestID: row.ColumnText(10)},
	}, true
}

// Receipt implements [storage.Store].
func (s *Store) Receipt(ctx context.Context, id string) (found storage.Receipt, err error) {
	if err := ctx.Err(); err != nil {
		return found, fmt.Errorf("get receipt: %w", err)
	}
	seq, err := s.findReceipt(ctx, id)
	is := false
	if err == nil {
		err = s.look(func(db *database) error {
			return db.once(`SELECT `+receiptColumns+` FROM receipt r `+receiptTables+` WHERE r.seq = ?1`, func(row *sqlite3.Stmt) bool {
				found, is = s.scanReceipt(row)
				return false
			}, seq)
		})
	}
	if err == nil && !is {
		err = storage.ErrReceiptNotFound
	}
	if err != nil {
		return storage.Receipt{}, fmt.Errorf("get receipt: %w", err)
	}
	return found, nil
}

// findReceipt returns the number of a receipt, whose erasure need not be finished. Any text is taken as an id.
func (s *Store) findReceipt(ctx context.Context, id string) (seq int64, err error) {
	generation, err := hex.DecodeString(id)
	if err != nil || len(generation) != len(slab.GenerationID{}) || hex.EncodeToString(generation) != id {
		return 0, storage.ErrReceiptNotFound
	}
	if seq, err = s.searchReceipt(ctx, generation); err == nil && seq == 0 {
		err = storage.ErrReceiptNotFound
	}
	return seq, err
}

// The search looks into each run of the index, the newest first.
const sqlIndexedReceipt = `WITH RECURSIVE runs (run) AS (SELECT max(run) FROM receipt_generation
	UNION ALL SELECT run - 1 FROM runs WHERE run > 0)
	SELECT g.receipt FROM runs CROSS JOIN receipt_generation g ON g.run = runs.run AND g.generation = ?1 LIMIT 1`

// searchReceipt returns the number of the receipt of a generation, 0 for none. It looks into the index, and then through those receipts
// that are not indexed, which are few unless callers have kept the committer from indexing them.
func (s *Store) searchReceipt(ctx context.Context, generation []byte) (seq int64, err error) {
	var from, newest int64
	err = s.look(func(db *database) (err error) {
		if seq, err = db.number(sqlIndexedReceipt, generation); err != nil || seq != 0 {
			return err
		}
		return db.once(`SELECT indexed, ifnull((SELECT max(seq) FROM receipt), 0) FROM store`, func(row *sqlite3.Stmt) bool {
			from, newest = row.ColumnInt64(0), row.ColumnInt64(1)
			return true
		})
	})
	for ; err == nil && seq == 0 && from < newest; from += indexRows {
		if err = ctx.Err(); err != nil {
			return 0, err
		}
		err = s.look(func(db *database) (err error) {
			seq, err = db.number(`SELECT seq FROM receipt WHERE seq > ?1 AND seq <= ?2 AND generation = ?3`, from, from+indexRows, generation)
			return err
		})
	}
	return seq, err
}
