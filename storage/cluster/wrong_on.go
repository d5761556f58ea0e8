//go:build failpoints

package cluster

import (
	"context"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster/internal/hooks"
)

// attached makes a change under its caller's context.
func (s *Store) attached(ctx context.Context, change func(context.Context) (storage.Result, error)) (storage.Result, error) {
	if !hooks.Wrong(hooks.EngineContext) {
		return change(ctx)
	}
	type answer struct {
		res storage.Result
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		ctx, cancel := context.WithTimeout(s.background, eraseLimit)
		defer cancel()
		res, err := change(ctx)
		answers <- answer{res, err}
	}()
	select {
	case a := <-answers:
		return a.res, a.err
	case <-ctx.Done():
		return storage.Result{}, ctx.Err()
	}
}

// triesAgain reports whether a first step whose answer was lost is sent again.
func triesAgain(ctx context.Context) bool {
	return hooks.Wrong(hooks.EngineContext) && sleep(ctx, sweepEvery/20)
}

// sqlOneStatement is intent and look in one, after sqlIntend's arguments.
var sqlOneStatement = `
WITH p AS MATERIALIZED (
   SELECT p.*, i.folder FROM issuer i JOIN person p ON p.iid = i.iid WHERE i.url = $1 AND p.id = $2 FOR UPDATE OF p),
 q AS MATERIALIZED (
   SELECT * FROM p WHERE (p.org = $3 OR $4) AND NOT p.removed AND p.claim IS NULL AND p.gen IS NOT NULL AND clock_timestamp() < $14 AND ` + holds(10) + `),
 u AS (
   UPDATE person SET gen = NULL, key = NULL, version = NULL, format = NULL, size = NULL, receipt = q.gen,
          sequence = person.sequence + 1, changed_at = greatest(person.changed_at, $5)
     FROM q WHERE person.uid = q.uid),
 e AS (
   INSERT INTO work (gen, uid, state, reason, version, n, begun_at, due, org, caller, caller_org, request)
   SELECT gen, uid, 3, 1, version, nextval('receipt_number'), $5, clock_timestamp() + $6::interval, org, $7, $8, $9 FROM q),
 a AS (
   INSERT INTO audit (at, action, result, caller, caller_org, org, target, request)
   SELECT $5, 'remove', 'done', $7, $8, org, $2, $9 FROM q)
SELECT p.uid, p.org, p.sequence + (SELECT count(*) FROM q), p.created_at, greatest(p.changed_at, $5), coalesce((SELECT gen FROM q), p.receipt), p.removed, p.ended,
       CASE WHEN EXISTS (SELECT FROM q) THEN NULL ELSE p.gen END, p.claim, coalesce(p.claim_due < clock_timestamp(), false), p.folder,
       w.gen, w.version, w.state, clock_timestamp(), EXISTS (SELECT FROM q)
  FROM p LEFT JOIN (SELECT uid, gen, version, state FROM work WHERE state IN (3, 4) UNION ALL SELECT uid, gen, version, 3 FROM q) w ON w.uid = p.uid`

// queueOneStatement queues it. It reports false when that is not to be.
func (s *Store) queueOneStatement(a *attempt, rm storage.Removal, intended *bool) bool {
	if !hooks.Wrong(hooks.OneStatement) {
		return false
	}
	a.Queue(sqlOneStatement, s.intentArguments(a, rm)...).Query(func(rows pgx.Rows) error { return a.person.scan(rows, intended) })
	return true
}
