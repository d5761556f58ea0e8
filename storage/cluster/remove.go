package cluster

import (
	"context"
	"fmt"

	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster/internal/hooks"
)

// sqlIntend takes the picture off the person's row and notes what is to be erased. It decides by that row alone, which it locks: a
// statement that waited for the lock sees the row as it is then, and everything else as it was before. What else matters is for
// the look behind it.
var sqlIntend = `
WITH p AS MATERIALIZED (
   SELECT p.uid, p.gen, p.version, p.org FROM issuer i JOIN person p ON p.iid = i.iid
    WHERE i.url = $1 AND p.id = $2 AND (p.org = $3 OR $4) AND NOT p.removed AND p.claim IS NULL AND p.gen IS NOT NULL AND ` + holds(10) + `
      FOR UPDATE OF p),
 q AS MATERIALIZED (SELECT * FROM p WHERE clock_timestamp() < $14),
 u AS (
   UPDATE person SET gen = NULL, key = NULL, version = NULL, format = NULL, size = NULL, receipt = q.gen,
          sequence = person.sequence + 1, changed_at = greatest(person.changed_at, $5)
     FROM q WHERE person.uid = q.uid),
 e AS (
   INSERT INTO work (gen, uid, state, reason, version, n, begun_at, due, org, caller, caller_org, request)
   SELECT gen, uid, 3, 1, version, nextval('receipt_number'), $5, clock_timestamp() + $6::interval, org, $7, $8, $9 FROM q)
INSERT INTO audit (at, action, result, caller, caller_org, org, target, request)
SELECT $5, '` + storage.ActionRemove + `', 'done', $7, $8, org, $2, $9 FROM q`

func validRemoval(rm storage.Removal) bool {
	return rm.User.Valid() && (rm.AnyOrganization || ids.Valid(rm.Organization)) && rm.By.Valid()
}

func inOrganization(rm storage.Removal) string {
	if rm.AnyOrganization {
		return ""
	}
	return rm.Organization
}

// queueIntent queues the intent of a removal; intended becomes whether there was a picture to be erased.
func (s *Store) queueIntent(a *attempt, rm storage.Removal, intended *bool) {
	queueMade(a.Batch, intended, sqlIntend, s.intentArguments(a, rm)...)
}

func (s *Store) intentArguments(a *attempt, rm storage.Removal) []any {
	arguments := []any{rm.User.Issuer, rm.User.ID, inOrganization(rm), rm.AnyOrganization, s.date(), claimLimit,
		rm.By.Caller, rm.By.CallerOrganization, rm.By.RequestID}
	return append(append(arguments, sqlCondition(rm.If).arguments()...), a.until)
}

// Remove implements [storage.Store].
func (s *Store) Remove(ctx context.Context, rm storage.Removal) (storage.Result, error) {
	if !validRemoval(rm) {
		return storage.Result{}, fmt.Errorf("remove: %w: id", storage.ErrInvalid)
	}
	res, err := s.attached(ctx, func(ctx context.Context) (storage.Result, error) { return s.remove(ctx, rm) })
	if err != nil {
		return storage.Result{}, fmt.Errorf("remove: %w", err)
	}
	return res, nil
}

func (s *Store) remove(ctx context.Context, rm storage.Removal) (storage.Result, error) {
	return s.change(ctx, rm.User, func() (rest, storage.Result, error) {
		intended := false
		p, err := s.decide(ctx, func(a *attempt) {
			if !s.queueOneStatement(a, rm, &intended) {
				s.queueIntent(a, rm, &intended)
				a.person.look(a.Batch, rm.User)
			}
		}, func(p *person) (bool, error) {
			// Without an intent it is right that nothing is erased when there is no picture, and no upload under way that came before.
			return intended || !p.claimed && p.gen == nil || hooks.Wrong(hooks.BlindLook), removalError(p, rm, intended)
		})
		if err != nil {
			return nil, storage.Result{}, err
		}
		if len(p.work) == 0 && !p.strays {
			return nil, p.result(), nil
		}
		return func(ctx context.Context) (storage.Result, error) {
			if err := s.eraseAll(ctx, p, rm.User); err != nil {
				return storage.Result{}, err
			}
			return p.result(), nil
		}, storage.Result{}, nil
	})
}

// removalError tells why a removal is refused. What was begun is finished first, whatever the condition says.
func removalError(p *person, rm storage.Removal, intended bool) error {
	if intended {
		return nil
	}
	if err := p.registered(inOrganization(rm)); err != nil {
		return err
	}
	if p.claimed || p.gen == nil && len(p.work) > 0 || rm.If.HoldsForRemoval(p.generation()) {
		return nil
	}
	return storage.ErrConditionFailed
}
