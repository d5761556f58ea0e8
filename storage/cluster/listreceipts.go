package cluster

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
)

// sqlReceipt is a receipt as people see it. One that a program of an earlier version made knows neither organisation nor caller.
const sqlReceipt = `
SELECT r.n, r.gen, r.uid, coalesce(r.org, (SELECT p.org FROM person p WHERE p.uid = r.uid)) AS org, r.begun_at, r.reason,
       coalesce(r.caller, '') AS caller, coalesce(r.caller_org, '') AS caller_org, coalesce(r.request, '') AS request
  FROM receipt r`

// ofWhom brings the users to a query of receipts.
func ofWhom(query, order string) string {
	return `SELECT r.*, i.url, p.id FROM (` + query + `) r JOIN person p ON p.uid = r.uid JOIN issuer i ON i.iid = p.iid` + order
}

// Statements of lists of receipts: of all, and of a user, whom an index finds. Organisation and times only choose among the rows that are
// looked at, as no further index is worth what each delete would pay for it.
var (
	sqlOneReceipt         = ofWhom(sqlReceipt+` WHERE r.gen = $1`, "")
	sqlListReceipts       = listOfReceipts(`r.n < $1`)
	sqlListReceiptsOfUser = listOfReceipts(`r.uid = (SELECT p.uid FROM issuer i JOIN person p ON p.iid = i.iid WHERE i.url = $5 AND p.id = $6) AND r.n < $1`)
)

func listOfReceipts(where string) string {
	return ofWhom(boundedPage(sqlReceipt+` WHERE `+where, "n DESC", receiptFilter), ` ORDER BY r.listed DESC, r.n DESC`)
}

const receiptFilter = `($2 = '' OR org = $2) AND begun_at >= $3 AND begun_at < $4`

// scannedReceipt is a row of sqlReceipt.
type scannedReceipt struct {
	n, uid int64
	gen    []byte
	at     time.Time
	reason int16
	storage.Receipt
}

func (r *scannedReceipt) columns() []any {
	return []any{&r.n, &r.gen, &r.uid, &r.Organization, &r.at, &r.reason, &r.By.Caller, &r.By.CallerOrganization, &r.By.RequestID, &r.User.Issuer, &r.User.ID}
}

func (r *scannedReceipt) receipt() storage.Receipt {
	r.ID, r.Time, r.Reason = hex.EncodeToString(r.gen), r.at.UTC(), int64(r.reason)
	return r.Receipt
}

// Receipt implements [storage.Store].
func (s *Store) Receipt(ctx context.Context, id string) (storage.Receipt, error) {
	if s.closed.Load() {
		return storage.Receipt{}, fmt.Errorf("receipt: %w", errClosed)
	}
	gen, ok := generationOf("", id)
	if !ok {
		return storage.Receipt{}, fmt.Errorf("receipt: %w", storage.ErrReceiptNotFound)
	}
	var r scannedReceipt
	err := s.pool.QueryRow(ctx, sqlOneReceipt, gen).Scan(r.columns()...)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return storage.Receipt{}, fmt.Errorf("receipt: %w", storage.ErrReceiptNotFound)
	case err != nil:
		return storage.Receipt{}, fmt.Errorf("receipt: %w", unavailable(ctx, err))
	}
	return r.receipt(), nil
}

// ListReceipts implements [storage.Store]. A page goes on below the number of a receipt.
func (s *Store) ListReceipts(ctx context.Context, q storage.ReceiptQuery) (storage.ReceiptPage, error) {
	page, err := s.listReceipts(ctx, q)
	if err != nil {
		return storage.ReceiptPage{}, fmt.Errorf("list receipts: %w", err)
	}
	return page, nil
}

func (s *Store) listReceipts(ctx context.Context, q storage.ReceiptQuery) (page storage.ReceiptPage, err error) {
	below := int64(math.MaxInt64)
	if q.After != "" {
		below, err = strconv.ParseInt(q.After, 10, 64)
	}
	if err != nil || below < 1 || q.After != "" && strconv.FormatInt(below, 10) != q.After || !q.Valid() {
		return page, storage.ErrInvalid
	}
	if s.closed.Load() {
		return page, errClosed
	}
	sql, arguments := sqlListReceipts, []any{below, q.Organization, notBefore(q.Since, storage.MinTime), notBefore(q.Until, storage.MaxTime+1)}
	if q.User != (storage.UserKey{}) {
		sql, arguments = sqlListReceiptsOfUser, append(arguments, q.User.Issuer, q.User.ID)
	}
	rows, err := s.pool.Query(ctx, sql, arguments...)
	if err != nil {
		return page, unavailable(ctx, err)
	}
	var listed bool
	var r scannedReceipt
	_, err = pgx.ForEachRow(rows, append([]any{&listed}, r.columns()...), func() error {
		if listed {
			page.Receipts = append(page.Receipts, r.receipt())
		}
		if !listed || len(page.Receipts) == storage.MaxPage {
			page.Next = strconv.FormatInt(r.n, 10)
		}
		return nil
	})
	return page, unavailable(ctx, err)
}

// notBefore is a bound of times for the database, which has whole microseconds: the first of them that is not before t. Zero stands for no
// bound, in whose place none is.
func notBefore(t time.Time, none int64) time.Time {
	switch least, most := micros(storage.MinTime), micros(storage.MaxTime); {
	case t.IsZero():
		return micros(none)
	case t.Before(least):
		return least
	case t.After(most):
		return most
	}
	return t.Add(time.Microsecond - 1).Truncate(time.Microsecond)
}
