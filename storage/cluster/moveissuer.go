package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
)

// Tombstones of an issuer, $2, that gets the users of another one, $1, come along with its address, where no user comes who is
// registered. One with work that is not done stays where its folder has its name from, with the receipts that are to come, and the tombstone is
// a new row.
const (
	sqlBringTombstones = `
UPDATE person t SET iid = f.iid FROM issuer f, issuer o
 WHERE f.url = $1 AND o.url = $2 AND t.iid = o.iid AND t.ended
   AND NOT EXISTS (SELECT FROM work WHERE work.uid = t.uid) AND NOT EXISTS (SELECT FROM person p WHERE p.iid = f.iid AND p.id = t.id)`

	sqlCopyTombstones = `
INSERT INTO person (iid, id, org, sequence, created_at, changed_at, removed, ended, receipt)
SELECT f.iid, t.id, t.org, t.sequence, t.created_at, t.changed_at, true, true, t.receipt
  FROM issuer f, issuer o JOIN person t ON t.iid = o.iid WHERE f.url = $1 AND o.url = $2 AND t.ended
    ON CONFLICT (id, iid) DO UPDATE SET ended = true, org = excluded.org, sequence = greatest(person.sequence, excluded.sequence),
       created_at = excluded.created_at, changed_at = greatest(person.changed_at, excluded.changed_at), receipt = coalesce(person.receipt, excluded.receipt)
       WHERE person.removed AND NOT person.ended`

	sqlLeaveTombstones = `
UPDATE person SET ended = false FROM issuer f, issuer o WHERE f.url = $1 AND o.url = $2 AND person.iid = o.iid AND person.ended`
)

// giveUsers makes the statements that give the users of an issuer to another one, which has none: the rows of the two change their
// addresses, which takes as long for ten million users as for ten.
func giveUsers(from, to string, do func(sql string, arguments ...any) error) error {
	for _, sql := range []string{sqlBringTombstones, sqlCopyTombstones, sqlLeaveTombstones} {
		if err := do(sql, from, to); err != nil {
			return err
		}
	}
	for _, names := range [][2]string{{to, ""}, {from, to}, {"", from}} { // no two rows have one address, not even for a moment
		if err := do(`UPDATE issuer SET url = $2 WHERE url = $1`, names[0], names[1]); err != nil {
			return err
		}
	}
	return nil
}

// MoveIssuer implements [storage.Store]. For a moment nobody's record changes: an upload that is under way finds that its user is another issuer's now, and is
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
	err = giveUsers(from, to, func(sql string, arguments ...any) error { batch.Queue(sql, arguments...); return nil })
	if err != nil {
		return false, err
	}
	batch.Queue(`INSERT INTO issuer_move (from_url, to_url) VALUES ($1, $2)`, from, to)
	batch.Queue(`INSERT INTO audit (at, action, result, caller, caller_org, org, target, request)
		VALUES ($1, '`+storage.ActionIssuerMoveFrom+`', 'done', $2, $3, '', $5, $4), ($1, '`+storage.ActionIssuerMoveTo+`', 'done', $2, $3, '', $6, $4)`,
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
