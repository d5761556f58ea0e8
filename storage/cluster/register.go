package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
)

// How registration goes, each statement with a snapshot of its own. A user who is there already, or has ended, gets nothing registered, the
// organisation included. The row of an organisation is locked for as long as somebody becomes one of it, so that it is not removed or
// ended meanwhile; many may become that at once. What arrives too late (deadline.go) registers nothing: it could bring back a user who was
// removed since.
const (
	sqlAddIssuer = `
INSERT INTO issuer (url, folder)
SELECT $1, CASE WHEN EXISTS (SELECT FROM issuer WHERE folder = $1) THEN $1 || ' ' || gen_random_uuid() ELSE $1 END
 WHERE NOT EXISTS (SELECT FROM issuer WHERE url = $1)
    ON CONFLICT DO NOTHING`

	sqlAddOrganizationOf = `
INSERT INTO organization (id, created_at)
SELECT $3, $4
 WHERE NOT EXISTS (SELECT FROM issuer i JOIN person p ON p.iid = i.iid WHERE i.url = $1 AND p.id = $2 AND (NOT p.removed OR p.ended AND NOT $6))
   AND NOT EXISTS (SELECT FROM organization WHERE id = $3 AND (NOT removed OR ended)) AND clock_timestamp() < $5
    ON CONFLICT (id) DO UPDATE SET removed = false, created_at = excluded.created_at
       WHERE organization.removed AND NOT organization.ended AND clock_timestamp() < $5`

	sqlAddPerson = `
WITH o AS MATERIALIZED (SELECT id FROM organization WHERE id = $3 AND NOT removed AND NOT ended FOR KEY SHARE),
 p AS (
   INSERT INTO person (iid, id, org, sequence, created_at, changed_at)
   SELECT i.iid, $2, o.id, 1, $4, $4
     FROM issuer i, o
    WHERE i.url = $1 AND NOT EXISTS (SELECT FROM person p WHERE p.iid = i.iid AND p.id = $2 AND NOT p.removed) AND clock_timestamp() < $8
       ON CONFLICT (id, iid) DO UPDATE SET removed = false, ended = false, org = excluded.org, sequence = person.sequence + 1,
          created_at = excluded.created_at, changed_at = greatest(person.changed_at, excluded.changed_at)
          WHERE person.removed AND (NOT person.ended OR $9) AND person.claim IS NULL AND clock_timestamp() < $8
   RETURNING org)
INSERT INTO audit (at, action, result, caller, caller_org, org, target, request)
SELECT $4, '` + storage.ActionRegister + `', 'done', $5, $6, org, $2, $7 FROM p`

	// sqlRefuses tells, of one moment, whether nobody new can be of an organisation, and whether a user has ended.
	sqlRefuses = `
SELECT EXISTS (SELECT FROM organization WHERE id = $3 AND ended),
       EXISTS (SELECT FROM issuer i JOIN person p ON p.iid = i.iid WHERE i.url = $1 AND p.id = $2 AND p.ended),
       EXISTS (SELECT FROM issuer i JOIN person p ON p.iid = i.iid WHERE i.url = $1 AND p.id = $2 AND NOT p.removed)`
)

// register queues the registration of a user. created becomes whether that did it.
func (s *Store) register(a *attempt, user storage.UserKey, org string, by storage.Origin, now time.Time, created *bool) {
	a.Queue(sqlAddIssuer, user.Issuer)
	a.Queue(sqlAddOrganizationOf, user.Issuer, user.ID, org, now, a.until, by.Readmits)
	queueMade(a.Batch, created, sqlAddPerson, user.Issuer, user.ID, org, now, by.Caller, by.CallerOrganization, by.RequestID, a.until, by.Readmits)
}

// queueMade queues a statement; made becomes whether it wrote a row.
func queueMade(batch *pgx.Batch, made *bool, sql string, arguments ...any) {
	batch.Queue(sql, arguments...).Exec(func(tag pgconn.CommandTag) error {
		*made = tag.RowsAffected() > 0
		return nil
	})
}

// AddUser implements [storage.Store].
func (s *Store) AddUser(ctx context.Context, user storage.UserKey, org string, by storage.Origin) (storage.Result, bool, error) {
	if !user.Valid() || !ids.Valid(org) || !by.Valid() {
		return storage.Result{}, false, fmt.Errorf("add user: %w: id", storage.ErrInvalid)
	}
	created := false
	res, err := s.change(ctx, user, func() (rest, storage.Result, error) {
		p, err := s.decide(ctx, func(a *attempt) {
			s.register(a, user, org, by, s.date(), &created)
			a.person.look(a.Batch, user)
		}, func(p *person) (bool, error) {
			if p.uid == 0 || p.removed {
				return false, s.refuses(ctx, user, org, by)
			}
			return true, p.registered(org)
		})
		if err != nil {
			return nil, storage.Result{}, err
		}
		return nil, p.result(), nil
	})
	if err != nil {
		return storage.Result{}, false, fmt.Errorf("add user: %w", err)
	}
	return res, created, nil
}

// refuses tells why a user who is not on record cannot be registered. nil tells that somebody removed the user, or the organisation, in
// between, or has registered them since: then it is tried again.
func (s *Store) refuses(ctx context.Context, user storage.UserKey, org string, by storage.Origin) error {
	var orgEnded, userEnded, registered bool
	err := s.pool.QueryRow(ctx, sqlRefuses, user.Issuer, user.ID, org).Scan(&orgEnded, &userEnded, &registered)
	switch {
	case err != nil:
		return fmt.Errorf("database: %w", err)
	case registered:
		return nil
	case orgEnded:
		return storage.ErrOrganizationEnded
	case userEnded && !by.Readmits:
		return storage.ErrUserEnded
	}
	return nil
}
