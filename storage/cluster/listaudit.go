package cluster

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
)

const (
	// sqlTrailEnd is the newest record of the trail, and sqlTrailWriters are the transactions that write to it behind that look: a record of theirs
	// may have a lower number and come later. They hold a lock of the table from before their record has a number.
	sqlTrailEnd     = `SELECT coalesce(max(n), 0) FROM audit`
	sqlTrailWriters = sqlWriters + `'audit'::regclass`

	// sqlWriters finds the transactions that write to a table, whose name follows.
	sqlWriters = `
SELECT coalesce(array_agg(DISTINCT virtualtransaction), '{}') FROM pg_locks
 WHERE locktype = 'relation' AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND mode = 'RowExclusiveLock' AND relation = `

	// trailLimit is how long they may take to end.
	trailLimit = 5 * time.Second

	sqlAudit = `
SELECT n, at, action, result, caller, caller_org, org, target, request, dropped, refusal
  FROM audit WHERE n > $1 AND n <= $2`

	auditFilter = `n > CASE WHEN refusal THEN $3::bigint ELSE $4 END AND at >= $5 AND at < $6
   AND ($7 = '' OR org = $7) AND ($8 = '' OR target = $8) AND ($9 = '' OR caller = $9) AND ($10 = '' OR action = $10)`
)

// Statements of lists of the trail, by what they list. Refusals have an index of their own.
var sqlListAudit = map[storage.AuditKind]string{
	storage.AnyRecords:  boundedPage(sqlAudit, "n", auditFilter),
	storage.ChangesOnly: boundedPage(sqlAudit, "n", auditFilter+` AND NOT refusal`),
	storage.Refusals:    boundedPage(sqlAudit+` AND refusal`, "n", auditFilter),
}

// ListAudit implements [storage.Store]. Changes and refusals have their numbers from one sequence here.
func (s *Store) ListAudit(ctx context.Context, q storage.AuditQuery) (storage.AuditPage, error) {
	page, err := s.listAudit(ctx, q)
	if err != nil {
		return storage.AuditPage{}, fmt.Errorf("list audit: %w", err)
	}
	return page, nil
}

func (s *Store) listAudit(ctx context.Context, q storage.AuditQuery) (page storage.AuditPage, err error) {
	if !q.Valid() {
		return page, storage.ErrInvalid
	}
	if s.closed.Load() {
		return page, errClosed
	}
	end, err := s.trailEnd(ctx)
	if err != nil {
		return page, unavailable(ctx, err)
	}
	rows, err := s.pool.Query(ctx, sqlListAudit[q.Kind], min(q.After.Changes, q.After.Refusals), end, q.After.Refusals, q.After.Changes,
		notBefore(q.Since, storage.MinTime), notBefore(q.Until, storage.MaxTime+1), q.Organization, q.Target, q.Caller, q.Action)
	if err != nil {
		return page, unavailable(ctx, err)
	}
	var listed bool
	var r storage.AuditRecord
	var at time.Time
	looked := end // how far this page has looked
	into := []any{&listed, &r.Number, &at, &r.Action, &r.Result, &r.Caller, &r.CallerOrganization, &r.Organization, &r.Target, &r.Request, &r.Dropped, &r.Refusal}
	_, err = pgx.ForEachRow(rows, into, func() error {
		if r.Time = at.UnixMicro(); listed {
			page.Records = append(page.Records, r)
		}
		if !listed || len(page.Records) == storage.MaxPage {
			looked = r.Number
		}
		return nil
	})
	if err != nil {
		return storage.AuditPage{}, unavailable(ctx, err)
	}
	slices.SortStableFunc(page.Records, func(a, b storage.AuditRecord) int { return cmp.Compare(a.Time, b.Time) })
	page.More = looked < end
	page.Next = storage.TrailPosition{Changes: max(q.After.Changes, looked), Refusals: max(q.After.Refusals, looked)}
	return page, nil
}

// trailEnd returns the number of the newest record of the trail, once no lower one can come any more.
func (s *Store) trailEnd(ctx context.Context) (end int64, err error) {
	var writers, now []string
	batch := new(pgx.Batch)
	batch.Queue(sqlTrailEnd).QueryRow(func(row pgx.Row) error { return row.Scan(&end) })
	batch.Queue(sqlTrailWriters).QueryRow(func(row pgx.Row) error { return row.Scan(&writers) })
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return 0, err
	}
	limited, cancel := context.WithTimeout(ctx, trailLimit)
	defer cancel()
	for len(writers) > 0 {
		if !sleep(limited, 2*time.Millisecond) {
			if ctx.Err() != nil {
				return 0, ctx.Err()
			}
			return 0, fmt.Errorf("%w: a transaction has been writing to the trail for more than %s", storage.ErrUnavailable, trailLimit)
		}
		if err := s.pool.QueryRow(ctx, sqlTrailWriters).Scan(&now); err != nil {
			return 0, err
		}
		writers = slices.DeleteFunc(writers, func(w string) bool { return !slices.Contains(now, w) })
	}
	return end, nil
}
