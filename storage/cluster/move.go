package cluster

import (
	"context"
	"fmt"

	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
)

const sqlMove = `
WITH o AS MATERIALIZED (SELECT id FROM organization WHERE id = $3 AND NOT removed AND NOT ended FOR KEY SHARE),
 p AS MATERIALIZED (
   SELECT p.uid, p.org FROM o, issuer i JOIN person p ON p.iid = i.iid
    WHERE i.url = $1 AND p.id = $2 AND NOT p.removed AND p.claim IS NULL AND p.org <> $3
      FOR UPDATE OF p),
 q AS MATERIALIZED (SELECT * FROM p WHERE clock_timestamp() < $8),
 u AS (
   UPDATE person SET org = $3, sequence = person.sequence + 1, changed_at = greatest(person.changed_at, $4) FROM q WHERE person.uid = q.uid)
INSERT INTO audit (at, action, result, caller, caller_org, org, target, request)
SELECT $4, a.action, 'done', $5, $6, a.org, $2, $7 FROM q, LATERAL (VALUES ('` + storage.ActionMoveFrom + `', q.org), ('` + storage.ActionMoveTo + `', $3)) AS a(action, org)`

// MoveUser implements [storage.Store].
func (s *Store) MoveUser(ctx context.Context, user storage.UserKey, org string, by storage.Origin) (storage.Result, bool, error) {
	if !user.Valid() || !ids.Valid(org) || !by.Valid() {
		return storage.Result{}, false, fmt.Errorf("move user: %w: id", storage.ErrInvalid)
	}
	moved := false
	res, err := s.change(ctx, user, func() (rest, storage.Result, error) {
		var state storage.RegistrationState
		p, err := s.decide(ctx, func(a *attempt) {
			queueMade(a.Batch, &moved, sqlMove, user.Issuer, user.ID, org, s.date(), by.Caller, by.CallerOrganization, by.RequestID, a.until)
			queueState(a.Batch, org, &state)
			a.person.look(a.Batch, user)
		}, func(p *person) (bool, error) {
			switch err := p.registered(""); {
			case err != nil:
				return false, err
			case p.org == org:
				return true, nil
			case state == storage.Ending:
				return false, storage.ErrOrganizationEnded
			case !state.On():
				return false, storage.ErrOrganizationNotFound
			}
			return false, nil
		})
		if err != nil {
			return nil, storage.Result{}, err
		}
		return nil, p.result(), nil
	})
	if err != nil {
		return storage.Result{}, false, fmt.Errorf("move user: %w", err)
	}
	return res, moved, nil
}
