package cluster

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
)

const (
	// pruneLock is the advisory lock of the process that removes old records.
	pruneLock = migrationLock + 4
	// pruneRows is how many records one transaction looks at.
	pruneRows = 2000
	// prunePages is how many such transactions for receipts a pass makes: each user's newest one stays, so in a large store a million of
	// them may be old. The next pass goes on from there.
	prunePages = 50
	// A pass begins every tenth of the shortest age that is configured, within these bounds.
	pruneEveryMin = time.Minute
	pruneEveryMax = time.Hour
)

const (
	// sqlPruneReceipts looks at some receipts behind a number and removes those of before a time, but for each user's newest one. Of one that was
	// sealed the place stays.
	sqlPruneReceipts = `
WITH w AS MATERIALIZED (SELECT n, gen, uid, begun_at FROM receipt WHERE n > $1 ORDER BY n LIMIT $2),
 o AS MATERIALIZED (SELECT w.n FROM w JOIN person p ON p.uid = w.uid WHERE w.begun_at < $3 AND p.receipt IS DISTINCT FROM w.gen),
 l AS (UPDATE receipt_log SET receipt = NULL, issuer = NULL, user_salt = NULL, caller_salt = NULL, request_salt = NULL, caller = NULL, request = NULL
        WHERE receipt = ANY(ARRAY(SELECT n FROM o))),
 d AS (DELETE FROM receipt WHERE n = ANY(ARRAY(SELECT n FROM o)) RETURNING n, begun_at),
 i AS (UPDATE installation SET pruned = greatest(pruned, (SELECT max(n) FROM d)),
          horizon = greatest(horizon, (SELECT max(begun_at) FROM d) + interval '1 us') WHERE EXISTS (SELECT FROM d))
SELECT coalesce((SELECT max(n) FROM w), 0), (SELECT count(*) FROM w) = $2 AND NOT EXISTS (SELECT FROM w WHERE begun_at >= $3), (SELECT count(*) FROM d)`

	// sqlForgetCallers looks at some receipts behind a number and takes from those of before a time what the trail of that time had, and the salts
	// of that. Each pass looks from the first receipt on, or goes on from the one before: the receipt of an erasure that took long comes late.
	sqlForgetCallers = `
WITH w AS MATERIALIZED (SELECT n, begun_at, caller IS NOT NULL OR caller_org IS NOT NULL OR request IS NOT NULL AS known FROM receipt WHERE n > $1 ORDER BY n LIMIT $2),
 o AS MATERIALIZED (SELECT n FROM w WHERE known AND begun_at < $3),
 l AS (UPDATE receipt_log SET caller_salt = NULL, request_salt = NULL WHERE receipt = ANY(ARRAY(SELECT n FROM o))),
 d AS (UPDATE receipt SET caller = NULL, caller_org = NULL, request = NULL WHERE n = ANY(ARRAY(SELECT n FROM o)) RETURNING n, begun_at),
 i AS (UPDATE installation SET forgotten = greatest(forgotten, (SELECT max(begun_at) FROM d) + interval '1 us') WHERE EXISTS (SELECT FROM d))
SELECT coalesce((SELECT max(n) FROM w), 0), (SELECT count(*) FROM w) = $2 AND NOT EXISTS (SELECT FROM w WHERE begun_at >= $3 AND begun_at < $4), (SELECT count(*) FROM d)`

	// sqlPruneAudit looks at some records of the audit trail behind a number and removes those of before a time. Records that are dated
	// in the future, because a clock was wrong, do not stop it.
	sqlPruneAudit = `
WITH w AS MATERIALIZED (SELECT n, at FROM audit WHERE n > $1 AND %s ORDER BY n LIMIT $2),
 d AS (DELETE FROM audit USING w WHERE audit.n = w.n AND w.at < $3 RETURNING w.n)
SELECT coalesce((SELECT max(n) FROM w), 0), (SELECT count(*) FROM w) = $2 AND NOT EXISTS (SELECT FROM w WHERE at >= $3 AND at < $4), (SELECT count(*) FROM d)`

	// sqlPruneOverflow removes the oldest refusals beyond a number of them, some at a time.
	sqlPruneOverflow = `
WITH d AS (DELETE FROM audit WHERE n IN (SELECT n FROM audit WHERE refusal
              AND n <= (SELECT n FROM audit WHERE refusal ORDER BY n DESC OFFSET $1 LIMIT 1) ORDER BY n LIMIT $2) RETURNING n)
SELECT 0::bigint, count(*) = $2, count(*) FROM d`
)

// pruneEvery returns how far apart passes are, 0 for none at all.
func pruneEvery(k storage.Retention) time.Duration { return k.PassEvery(pruneEveryMin, pruneEveryMax) }

// keepRetention removes old records until its context ends.
func (s *Store) keepRetention(ctx context.Context) {
	every := pruneEvery(s.keep)
	for every > 0 && sleep(ctx, every) {
		if err := s.prune(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("records that have reached their age could not be removed", "error", err)
		}
	}
}

// errOtherPrunes: another process removes old records at this moment.
var errOtherPrunes = errors.New("another process removes old records")

// prune makes a pass: from the oldest record on, in transactions of bounded length. It is one process at a time that does.
func (s *Store) prune(ctx context.Context) error {
	now, keep := s.date(), s.keep
	var receipts, callers, changes, refusals, first int64
	for _, p := range []struct {
		wanted bool
		gone   *int64
		at     *int64 // where to begin
		pages  int
		sql    string
		more   []any
	}{
		{keep.Receipts > 0, &receipts, &s.prunedTo, s.prunePages, sqlPruneReceipts, []any{now.Add(-keep.Receipts)}},
		{keep.Changes > 0, &callers, &s.forgotTo, s.prunePages, sqlForgetCallers, []any{now.Add(-keep.Changes), now}},
		{keep.Changes > 0, &changes, &first, math.MaxInt, fmt.Sprintf(sqlPruneAudit, "NOT refusal"), []any{now.Add(-keep.Changes), now}},
		{keep.Refusals > 0, &refusals, &first, math.MaxInt, fmt.Sprintf(sqlPruneAudit, "refusal"), []any{now.Add(-keep.Refusals), now}},
		{keep.RefusalRows > 0, &refusals, &first, math.MaxInt, sqlPruneOverflow, nil},
	} {
		for more := p.wanted; more && p.pages > 0; p.pages-- {
			arguments := append([]any{*p.at, pruneRows}, p.more...)
			if p.sql == sqlPruneOverflow {
				arguments[0] = keep.RefusalRows
			}
			var gone int64
			var err error
			if *p.at, more, gone, err = s.pruneSome(ctx, *p.at, p.sql, arguments); errors.Is(err, errOtherPrunes) {
				break
			} else if err != nil {
				return err
			}
			*p.gone += gone
		}
	}
	s.counters.update(func(st *storage.Stats) {
		st.PrunedReceipts += uint64(receipts)
		st.PrunedChanges += uint64(changes)
		st.PrunedRefusals += uint64(refusals)
	})
	if receipts+changes+refusals > 0 {
		s.log.Info("records that have reached their age were removed", "changes", changes, "refusals", refusals, "receipts", receipts)
	}
	return nil
}

// pruneSome makes one transaction of a pass from a record on, and returns where the next one begins: at the first record when there is no
// more to do.
func (s *Store) pruneSome(ctx context.Context, at int64, sql string, arguments []any) (next int64, more bool, gone int64, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var mine bool
		err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock($1)`, int64(pruneLock)).Scan(&mine)
		switch {
		case err != nil:
			return err
		case !mine:
			return errOtherPrunes
		}
		// What is sealed at this moment gets its salts behind this transaction, or has them before it.
		if _, err := tx.Exec(ctx, `SELECT FROM receipt_head FOR SHARE`); err != nil {
			return err
		}
		return tx.QueryRow(ctx, sql, arguments...).Scan(&next, &more, &gone)
	})
	switch {
	case err != nil:
		return at, false, 0, fmt.Errorf("database: %w", err)
	case !more:
		next = 0
	}
	return next, more, gone, nil
}
