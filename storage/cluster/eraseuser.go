package cluster

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
)

const (
	// sqlClaim claims a row for a removal of the user, behind the intent: when the condition holds of no picture, or there is one that is
	// to be erased.
	sqlClaim = `
WITH p AS MATERIALIZED (
   SELECT p.uid FROM issuer i JOIN person p ON p.iid = i.iid
    WHERE i.url = $1 AND p.id = $2 AND (p.org = $3 OR $4) AND NOT p.removed AND p.claim IS NULL AND p.gen IS NULL
      AND ($7 OR EXISTS (SELECT FROM work w WHERE w.uid = p.uid AND w.state = 3))
      FOR UPDATE OF p)
UPDATE person SET claim = $5, claim_due = clock_timestamp() + $6::interval FROM p WHERE person.uid = p.uid AND clock_timestamp() < $8`

	sqlTakeOff = `
WITH p AS (
   UPDATE person SET removed = true, ended = true, sequence = sequence + 1, changed_at = greatest(changed_at, $3), claim = NULL, claim_due = NULL
    WHERE uid = $1 AND claim = $2 AND gen IS NULL
   RETURNING sequence, created_at, changed_at, org, receipt, id),
 a AS (
   INSERT INTO audit (at, action, result, caller, caller_org, org, target, request)
   SELECT $3, '` + storage.ActionEraseUser + `', 'done', $4, $5, org, id, $6 FROM p)
SELECT sequence, created_at, changed_at, org, receipt FROM p`
)

// EraseUser implements [storage.Store]. It claims the row in the transaction that makes its intent, so that no change of the user
// comes between the erasure and the end. A tombstone is not claimed: it changes no more, and an upload that arrives late is erased beside it.
func (s *Store) EraseUser(ctx context.Context, rm storage.Removal) (storage.Result, error) {
	if !validRemoval(rm) {
		return storage.Result{}, fmt.Errorf("erase user: %w: id", storage.ErrInvalid)
	}
	claim := newGeneration()
	res, err := s.change(ctx, rm.User, func() (rest, storage.Result, error) { return s.beginErasing(ctx, rm, claim) })
	if err != nil {
		return storage.Result{}, fmt.Errorf("erase user: %w", err)
	}
	return res, nil
}

// beginErasing claims the row of a user.
func (s *Store) beginErasing(ctx context.Context, rm storage.Removal, claim generationID) (rest, storage.Result, error) {
	intended, claimed := false, false
	p, err := s.decide(ctx, func(a *attempt) {
		s.queueIntent(a, rm, &intended)
		queueMade(a.Batch, &claimed, sqlClaim, rm.User.Issuer, rm.User.ID, inOrganization(rm), rm.AnyOrganization, claim, claimLimit,
			rm.If.HoldsForRemoval(""), a.until)
		a.person.look(a.Batch, rm.User)
	}, func(p *person) (bool, error) {
		if isTombstone(p, rm) {
			return true, nil
		}
		return claimed, removalError(p, rm, claimed)
	})
	release := func(ctx context.Context) (storage.Result, error) {
		_, err := s.pool.Exec(ctx, `UPDATE person SET claim = NULL, claim_due = NULL WHERE claim = $1 AND uid = (
			SELECT p.uid FROM issuer i JOIN person p ON p.iid = i.iid WHERE i.url = $2 AND p.id = $3)`, claim, rm.User.Issuer, rm.User.ID)
		return storage.Result{}, err
	}
	switch {
	case err != nil && p == nil:
		return release, storage.Result{}, err
	case err != nil:
		return nil, storage.Result{}, err
	case isTombstone(p, rm):
		return func(ctx context.Context) (storage.Result, error) { return p.result(), s.eraseAll(ctx, p, rm.User) }, storage.Result{}, nil
	}
	return func(ctx context.Context) (storage.Result, error) {
		res, err := s.takeOff(ctx, p, rm, claim)
		if err != nil {
			_, _ = release(ctx)
		}
		return res, err
	}, storage.Result{}, nil
}

// isTombstone reports whether a person has ended in the organisation that is asked for.
func isTombstone(p *person, rm storage.Removal) bool {
	return p.ended && (rm.AnyOrganization || p.org == rm.Organization)
}

// takeOff erases what there is of a claimed person and takes them off the record.
func (s *Store) takeOff(ctx context.Context, p *person, rm storage.Removal, claim generationID) (storage.Result, error) {
	if err := s.eraseAll(ctx, p, rm.User); err != nil {
		return storage.Result{}, err
	}
	var after person
	batch := new(pgx.Batch)
	batch.Queue(sqlTakeOff, p.uid, claim, s.date(), rm.By.Caller, rm.By.CallerOrganization, rm.By.RequestID).QueryRow(func(row pgx.Row) error {
		return row.Scan(&after.sequence, &after.created, &after.changed, &after.org, &after.receipt)
	})
	if err := s.pipeline(ctx, batch); err != nil {
		return storage.Result{}, err
	}
	return after.result(), nil
}
