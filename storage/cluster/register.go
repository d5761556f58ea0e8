package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
)

// How registration goes, each statement with a snapshot of its own. A user who is there already gets nothing registered, the
// organisation included. The row of an organisation is locked for as long as somebody becomes one of it, so that it is not removed
// meanwhile; many may become that at once. What arrives too late (deadline.go) registers nothing: it could bring back a user who was
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
 WHERE NOT EXISTS (SELECT FROM issuer i JOIN person p ON p.iid = i.iid WHERE i.url = $1 AND p.id = $2 AND NOT p.removed)
   AND NOT EXISTS (SELECT FROM organization WHERE id = $3 AND NOT removed) AND clock_timestamp() < $5
    ON CONFLICT (id) DO UPDATE SET removed = false, created_at = excluded.created_at WHERE organization.removed AND clock_timestamp() < $5`

	sqlAddPerson = `
WITH o AS MATERIALIZED (SELECT id FROM organization WHERE id = $3 AND NOT removed FOR KEY SHARE),
 p AS (
   INSERT INTO person (iid, id, org, sequence, created_at, changed_at)
   SELECT i.iid, $2, o.id, 1, $4, $4
     FROM issuer i, o
    WHERE i.url = $1 AND NOT EXISTS (SELECT FROM person p WHERE p.iid = i.iid AND p.id = $2 AND NOT p.removed) AND clock_timestamp() < $8
       ON CONFLICT (id, iid) DO UPDATE SET removed = false, org = excluded.org, sequence = person.sequence + 1,
          created_at = excluded.created_at, changed_at = greatest(person.changed_at, excluded.changed_at)
          WHERE person.removed AND person.claim IS NULL AND clock_timestamp() < $8
   RETURNING org)
INSERT INTO audit (at, action, result, caller, caller_org, org, target, request)
SELECT $4, 'register', 'done', $5, $6, org, $2, $7 FROM p`

	sqlAddOrganization = `
WITH o AS (
   INSERT INTO organization (id, created_at)
   SELECT $1, $2 WHERE NOT EXISTS (SELECT FROM organization WHERE id = $1 AND NOT removed) AND clock_timestamp() < $6
       ON CONFLICT (id) DO UPDATE SET removed = false, created_at = excluded.created_at WHERE organization.removed AND clock_timestamp() < $6
   RETURNING id)
INSERT INTO audit (at, action, result, caller, caller_org, org, target, request)
SELECT $2, 'register', 'done', $3, $4, id, '', $5 FROM o`
)

// register queues the registration of a user. created becomes whether that did it.
func (s *Store) register(a *attempt, user storage.UserKey, org string, by storage.Origin, now time.Time, created *bool) {
	a.Queue(sqlAddIssuer, user.Issuer)
	a.Queue(sqlAddOrganizationOf, user.Issuer, user.ID, org, now, a.until)
	queueMade(a.Batch, created, sqlAddPerson, user.Issuer, user.ID, org, now, by.Caller, by.CallerOrganization, by.RequestID, a.until)
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
			if p.uid == 0 || p.removed { // somebody removed the user, or the organisation, in between
				return false, nil
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

// AddOrganization implements [storage.Store].
func (s *Store) AddOrganization(ctx context.Context, org string, by storage.Origin) (created bool, err error) {
	if !ids.Valid(org) || !by.Valid() {
		return false, fmt.Errorf("add organisation: %w: id", storage.ErrInvalid)
	}
	err = s.once(ctx, &created, func(a *attempt) {
		queueMade(a.Batch, &created, sqlAddOrganization, org, s.date(), by.Caller, by.CallerOrganization, by.RequestID, a.until)
	})
	if err != nil {
		return false, fmt.Errorf("add organisation: %w", err)
	}
	return created, nil
}

const (
	sqlLockOrganization = `SELECT FROM organization WHERE id = $1 FOR UPDATE`

	sqlRemoveOrganization = `
WITH o AS (UPDATE organization SET removed = true
            WHERE id = $1 AND NOT removed AND NOT EXISTS (SELECT FROM person WHERE org = $1 AND NOT removed) AND clock_timestamp() < $6 RETURNING id)
INSERT INTO audit (at, action, result, caller, caller_org, org, target, request)
SELECT $2, 'organization-remove', 'done', $3, $4, id, '', $5 FROM o`

	sqlOrganization = `SELECT EXISTS (SELECT FROM organization WHERE id = $1 AND NOT removed)`
)

// RemoveOrganization implements [storage.Store]. The row is locked first, so that the look for users sees everybody who has become one.
func (s *Store) RemoveOrganization(ctx context.Context, org string, by storage.Origin) (removed bool, err error) {
	if !ids.Valid(org) || !by.Valid() {
		return false, fmt.Errorf("remove organisation: %w: id", storage.ErrInvalid)
	}
	there := false
	defer s.orgs.forget(org) // also when the answer is lost
	err = s.once(ctx, &removed, func(a *attempt) {
		a.Queue(sqlLockOrganization, org)
		queueMade(a.Batch, &removed, sqlRemoveOrganization, org, s.date(), by.Caller, by.CallerOrganization, by.RequestID, a.until)
		a.Queue(sqlOrganization, org).QueryRow(func(row pgx.Row) error { return row.Scan(&there) })
	})
	if err == nil && there {
		err = storage.ErrOrganizationInUse
	}
	if err != nil {
		return false, fmt.Errorf("remove organisation: %w", err)
	}
	return removed, nil
}

// errTooLate: a change that is sent once arrived when it had no effect any more.
var errTooLate = errors.New("the change arrived too late at the database")

// once runs a change that is one pipeline; made becomes whether it changed something.
func (s *Store) once(ctx context.Context, made *bool, queue func(*attempt)) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.exit()
	a, inTime := s.newAttempt(ctx), false
	queue(a)
	a.Queue(`SELECT clock_timestamp() < $1`, a.until).QueryRow(func(row pgx.Row) error { return row.Scan(&inTime) })
	err := s.pipeline(ctx, a.Batch)
	switch {
	case err != nil:
		s.outlast(a, err)
	case !*made && !inTime:
		err = errTooLate
	}
	return unavailable(ctx, err)
}

// orgLife is how long it is believed that an organisation is registered, and maxOrgs of how many.
const (
	orgLife = 5 * time.Second
	maxOrgs = 10_000
)

// knownOrganizations remembers organisations that are registered, for a short time. Those that are not are asked for each time.
type knownOrganizations struct {
	mu      sync.Mutex
	until   map[string]time.Time
	removed uint64 // how many this process has forgotten
}

// known reports whether an organisation is known; else asked is what learn takes.
func (k *knownOrganizations) known(org string) (known bool, asked uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Now().Before(k.until[org]), k.removed
}

// learn remembers what the database has said, unless this process has removed an organisation since it was asked.
func (k *knownOrganizations) learn(org string, asked uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if asked != k.removed {
		return
	}
	if k.until == nil || len(k.until) >= maxOrgs {
		k.until = make(map[string]time.Time)
	}
	k.until[org] = time.Now().Add(orgLife)
}

func (k *knownOrganizations) forget(org string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.until, org)
	k.removed++
}

// HasOrganization implements [storage.Store].
func (s *Store) HasOrganization(ctx context.Context, org string) (bool, error) {
	if s.closed.Load() {
		return false, fmt.Errorf("has organisation: %w", errClosed)
	}
	if !ids.Valid(org) {
		return false, nil
	}
	known, asked := s.orgs.known(org)
	if known {
		return true, ctx.Err()
	}
	var there bool
	if err := s.pool.QueryRow(ctx, sqlOrganization, org).Scan(&there); err != nil {
		return false, fmt.Errorf("has organisation: %w", unavailable(ctx, err))
	}
	if there {
		s.orgs.learn(org, asked)
	}
	return there, nil
}
