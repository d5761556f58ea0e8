package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
)

// stateOf is how a row says what state it has: two columns, as programs of an earlier version know the first one alone. A user is never
// ending.
func stateOf(removed, ended bool) storage.RegistrationState {
	switch {
	case removed && ended:
		return storage.Ended
	case removed:
		return storage.Removed
	case ended:
		return storage.Ending
	}
	return storage.Registered
}

const (
	// sqlLockOrganization comes first, so that what follows sees everybody who has become a user of the organisation.
	sqlLockOrganization = `SELECT FROM organization WHERE id = $1 FOR UPDATE`

	sqlOrganizationState = `SELECT removed, ended FROM organization WHERE id = $1`

	sqlAddOrganization = `
WITH o AS (
   INSERT INTO organization (id, created_at)
   SELECT $1, $2 WHERE NOT EXISTS (SELECT FROM organization WHERE id = $1 AND NOT removed AND NOT ended) AND clock_timestamp() < $6
       ON CONFLICT (id) DO UPDATE SET removed = false, ended = false, created_at = excluded.created_at
          WHERE (organization.removed OR organization.ended) AND (NOT organization.ended OR $7) AND clock_timestamp() < $6
   RETURNING id)
INSERT INTO audit (at, action, result, caller, caller_org, org, target, request)
SELECT $2, '` + storage.ActionRegister + `', 'done', $3, $4, id, '', $5 FROM o`

	sqlEndOrganization = `
WITH o AS (UPDATE organization SET ended = true WHERE id = $1 AND NOT removed AND NOT ended AND clock_timestamp() < $6 RETURNING id)
INSERT INTO audit (at, action, result, caller, caller_org, org, target, request)
SELECT $2, '` + storage.ActionEndOrganization + `', 'done', $3, $4, id, '', $5 FROM o`

	// sqlRemoveOrganization leaves ended as it is: what was ending has ended then.
	sqlRemoveOrganization = `
WITH o AS (UPDATE organization SET removed = true
            WHERE id = $1 AND NOT removed AND NOT EXISTS (SELECT FROM person WHERE org = $1 AND NOT removed) AND clock_timestamp() < $6 RETURNING id)
INSERT INTO audit (at, action, result, caller, caller_org, org, target, request)
SELECT $2, '` + storage.ActionRemoveOrganization + `', 'done', $3, $4, id, '', $5 FROM o`
)

// queueState queues a look at the state of an organisation.
func queueState(batch *pgx.Batch, org string, state *storage.RegistrationState) {
	batch.Queue(sqlOrganizationState, org).QueryRow(func(row pgx.Row) (err error) {
		*state, err = scanState(row)
		return err
	})
}

func scanState(row pgx.Row) (storage.RegistrationState, error) {
	var removed, ended bool
	err := row.Scan(&removed, &ended)
	if errors.Is(err, pgx.ErrNoRows) {
		return storage.Removed, nil
	}
	return stateOf(removed, ended), err
}

// AddOrganization implements [storage.Store].
func (s *Store) AddOrganization(ctx context.Context, org string, by storage.Origin) (created bool, err error) {
	if !ids.Valid(org) || !by.Valid() {
		return false, fmt.Errorf("add organisation: %w: id", storage.ErrInvalid)
	}
	var state storage.RegistrationState
	err = s.once(ctx, &created, func(a *attempt) {
		queueMade(a.Batch, &created, sqlAddOrganization, org, s.date(), by.Caller, by.CallerOrganization, by.RequestID, a.until, by.Readmits)
		queueState(a.Batch, org, &state)
	})
	if err == nil && !created && state.Refuses() {
		err = storage.ErrOrganizationEnded
	}
	if err != nil {
		return false, fmt.Errorf("add organisation: %w", err)
	}
	return created, nil
}

// EndOrganization implements [storage.Store].
func (s *Store) EndOrganization(ctx context.Context, org string, by storage.Origin) (ended bool, err error) {
	if !ids.Valid(org) || !by.Valid() {
		return false, fmt.Errorf("end organisation: %w: id", storage.ErrInvalid)
	}
	var state storage.RegistrationState
	err = s.once(ctx, &ended, func(a *attempt) {
		a.Queue(sqlLockOrganization, org)
		queueMade(a.Batch, &ended, sqlEndOrganization, org, s.date(), by.Caller, by.CallerOrganization, by.RequestID, a.until)
		queueState(a.Batch, org, &state)
	})
	if err == nil && state == storage.Removed {
		err = storage.ErrOrganizationNotFound
	}
	if err != nil {
		return false, fmt.Errorf("end organisation: %w", err)
	}
	return ended, nil
}

// RemoveOrganization implements [storage.Store].
func (s *Store) RemoveOrganization(ctx context.Context, org string, by storage.Origin) (removed bool, err error) {
	if !ids.Valid(org) || !by.Valid() {
		return false, fmt.Errorf("remove organisation: %w: id", storage.ErrInvalid)
	}
	var state storage.RegistrationState
	defer s.orgs.forget(org) // also when the answer is lost
	err = s.once(ctx, &removed, func(a *attempt) {
		a.Queue(sqlLockOrganization, org)
		queueMade(a.Batch, &removed, sqlRemoveOrganization, org, s.date(), by.Caller, by.CallerOrganization, by.RequestID, a.until)
		queueState(a.Batch, org, &state)
	})
	if err == nil && state.On() {
		err = storage.ErrOrganizationInUse
	}
	if err != nil {
		return false, fmt.Errorf("remove organisation: %w", err)
	}
	return removed, nil
}

// OrganizationState implements [storage.Store].
func (s *Store) OrganizationState(ctx context.Context, org string) (storage.RegistrationState, error) {
	if s.closed.Load() {
		return storage.Removed, fmt.Errorf("state of an organisation: %w", errClosed)
	}
	if !ids.Valid(org) {
		return storage.Removed, nil
	}
	state, err := scanState(s.pool.QueryRow(ctx, sqlOrganizationState, org))
	if err != nil {
		return storage.Removed, fmt.Errorf("state of an organisation: %w", unavailable(ctx, err))
	}
	return state, nil
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
