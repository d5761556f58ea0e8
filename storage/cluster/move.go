package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
)

const sqlMove = `
WITH o AS MATERIALIZED (SELECT id FROM organization WHERE id = $3 AND NOT removed FOR KEY SHARE),
 p AS MATERIALIZED (
   SELECT p.uid, p.org FROM o, issuer i JOIN person p ON p.iid = i.iid
    WHERE i.url = $1 AND p.id = $2 AND NOT p.removed AND p.claim IS NULL AND p.org <> $3
      FOR UPDATE OF p),
 q AS MATERIALIZED (SELECT * FROM p WHERE clock_timestamp() < $8),
 u AS (
   UPDATE person SET org = $3, sequence = person.sequence + 1, changed_at = greatest(person.changed_at, $4) FROM q WHERE person.uid = q.uid)
INSERT INTO audit (at, action, result, caller, caller_org, org, target, request)
SELECT $4, a.action, 'done', $5, $6, a.org, $2, $7 FROM q, LATERAL (VALUES ('move-from', q.org), ('move-to', $3)) AS a(action, org)`

// MoveUser implements [storage.Store].
func (s *Store) MoveUser(ctx context.Context, user storage.UserKey, org string, by storage.Origin) (storage.Result, bool, error) {
	if !user.Valid() || !ids.Valid(org) || !by.Valid() {
		return storage.Result{}, false, fmt.Errorf("move user: %w: id", storage.ErrInvalid)
	}
	moved := false
	res, err := s.change(ctx, user, func() (rest, storage.Result, error) {
		there := false
		p, err := s.decide(ctx, func(a *attempt) {
			queueMade(a.Batch, &moved, sqlMove, user.Issuer, user.ID, org, s.date(), by.Caller, by.CallerOrganization, by.RequestID, a.until)
			a.Queue(sqlOrganization, org).QueryRow(func(row pgx.Row) error { return row.Scan(&there) })
			a.person.look(a.Batch, user)
		}, func(p *person) (bool, error) {
			switch err := p.registered(""); {
			case err != nil:
				return false, err
			case !there:
				return false, storage.ErrOrganizationNotFound
			}
			return p.org == org, nil
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

// MoveIssuer implements [storage.Store]. The two issuers' rows change their addresses, which takes as long for ten million users as for
// ten. For that moment nobody's record changes: an upload that is under way finds that its user is another issuer's now, and is
// given up.
func (s *Store) MoveIssuer(ctx context.Context, from, to string, by storage.Origin) (moved bool, err error) {
	if !storage.ValidText(from) || !storage.ValidText(to) || from == to || !by.Valid() {
		return false, fmt.Errorf("move issuer: %w: id", storage.ErrInvalid)
	}
	if err := s.enter(); err != nil {
		return false, fmt.Errorf("move issuer: %w", err)
	}
	defer s.exit()
	if moved, err = s.moveIssuer(ctx, from, to, by); err != nil {
		return false, fmt.Errorf("move issuer: %w", unavailable(ctx, err))
	}
	return moved, nil
}

func (s *Store) moveIssuer(ctx context.Context, from, to string, by storage.Origin) (moved bool, err error) {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after a commit it does nothing
	// In the order in which registrations write to them, or the two would wait for each other.
	if _, err = tx.Exec(ctx, `LOCK TABLE issuer, person IN EXCLUSIVE MODE`); err != nil {
		return false, err
	}
	var has, taken bool
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM issuer i JOIN person p ON p.iid = i.iid WHERE i.url = $1 AND NOT p.removed),
		EXISTS (SELECT FROM issuer i JOIN person p ON p.iid = i.iid WHERE i.url = $2 AND NOT p.removed)`, from, to).Scan(&has, &taken)
	if err != nil {
		return false, err
	}
	if !has {
		var last string
		err = tx.QueryRow(ctx, `SELECT to_url FROM issuer_move WHERE from_url = $1 ORDER BY n DESC LIMIT 1`, from).Scan(&last)
		switch {
		case err != nil && !errors.Is(err, pgx.ErrNoRows):
			return false, err
		case last == to:
			return false, nil // it is done
		}
		return false, storage.ErrIssuerNotFound
	}
	if taken {
		return false, storage.ErrIssuerInUse
	}
	batch := new(pgx.Batch)
	batch.Queue(`UPDATE issuer SET url = '' WHERE url = $1`, to) // no two rows have one address, not even for a moment
	batch.Queue(`UPDATE issuer SET url = $2 WHERE url = $1`, from, to)
	batch.Queue(`UPDATE issuer SET url = $1 WHERE url = ''`, from)
	batch.Queue(`INSERT INTO issuer_move (from_url, to_url) VALUES ($1, $2)`, from, to)
	batch.Queue(`INSERT INTO audit (at, action, result, caller, caller_org, org, target, request)
		VALUES ($1, 'issuer-move-from', 'done', $2, $3, '', $5, $4), ($1, 'issuer-move-to', 'done', $2, $3, '', $6, $4)`,
		s.date(), by.Caller, by.CallerOrganization, by.RequestID, from, to)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return false, err
	}
	delete(tx.Conn().PgConn().CustomData(), warned)
	if err := tx.Commit(ctx); err != nil {
		return false, err
	}
	return true, warning(ctx, tx.Conn())
}
