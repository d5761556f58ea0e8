package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster/internal/bucket"
	"example.org/avatard/storage/cluster/internal/envelope"
)

// arrivalRequests is how many requests to the bucket are under way at once.
const arrivalRequests = 16

// arriving is a user who is being taken.
type arriving struct {
	storage.ArrivingUser
	issuer  issuerRow
	folder  string
	here    *arrived // nil = not here yet
	key     []byte
	sealed  []byte
	version string
	changed bool
}

// arrived is what is here of a user.
type arrived struct {
	sequence int64
	state    storage.RegistrationState
	org      string
	gen, key []byte
	version  string
}

// Take implements [storage.Arrival].
func (a *arrival) Take(ctx context.Context, users []storage.ArrivingUser, compare bool) (changed int, err error) {
	page := make([]*arriving, len(users))
	uids := make([]int64, len(users))
	for i, u := range users {
		p := &arriving{ArrivingUser: u}
		if p.issuer, err = a.issuer(ctx, u.User.Issuer); err != nil {
			return 0, fmt.Errorf("database: %w", err)
		}
		p.folder = a.folders.of(p.issuer.folder, u.User.ID)
		page[i], uids[i] = p, u.Record.Number
	}
	here, err := a.here(ctx, uids)
	if err != nil {
		return 0, fmt.Errorf("database: %w", err)
	}
	for i, p := range page {
		p.here = here[uids[i]]
		p.changed = !p.same()
	}
	if compare {
		if err := each(ctx, page, a.compare); err != nil {
			return 0, err
		}
	}
	return a.bring(ctx, page)
}

func (a *arrival) here(ctx context.Context, uids []int64) (map[int64]*arrived, error) {
	rows, err := a.pool.Query(ctx, `SELECT uid, sequence, removed, ended, org, gen, key, coalesce(version, '') FROM person WHERE uid = ANY($1)`, uids)
	if err != nil {
		return nil, err
	}
	found := make(map[int64]*arrived, len(uids))
	var uid int64
	var h arrived
	var removed, ended bool
	_, err = pgx.ForEachRow(rows, []any{&uid, &h.sequence, &removed, &ended, &h.org, &h.gen, &h.key, &h.version}, func() error {
		is := h
		is.state = stateOf(removed, ended)
		found[uid] = &is
		return nil
	})
	return found, err
}

// same reports whether what is here is what is there, or came later: a change that both were told of while this record was on its way.
func (p *arriving) same() bool {
	switch h := p.here; {
	case h == nil:
		return false
	case p.Picture == nil && h.gen == nil && h.sequence > p.Record.Sequence:
		return true
	case h.sequence != p.Record.Sequence || h.state != p.Record.State || h.org != p.Record.Organization:
		return false
	case p.Picture == nil:
		return h.gen == nil
	default:
		return bytes.Equal(h.gen, p.Picture.Generation[:]) && h.version != ""
	}
}

// compare reads a picture that is here, and has it replaced unless it is what is there.
func (a *arrival) compare(ctx context.Context, p *arriving) error {
	if p.changed || p.Picture == nil {
		return nil
	}
	gen := p.Picture.Generation
	sealed, err := a.bucket.Get(ctx, p.folder+generationID(gen).String(), p.here.version, storage.MaxPictureBytes+envelope.Overhead)
	switch {
	case errors.Is(err, bucket.ErrNotFound):
		p.changed = true
		return nil
	case err != nil:
		return err
	}
	p.changed = !a.holds(p, sealed)
	return nil
}

// holds reports whether what the bucket has is the picture.
func (a *arrival) holds(p *arriving, sealed []byte) bool {
	data, err := a.keys.Open(p.Picture.Generation[:], sealed, p.here.key)
	defer clear(data)
	return err == nil && bytes.Equal(data, p.Picture.Data)
}

// each calls do for every user of a page, several at once.
func each(ctx context.Context, page []*arriving, do func(context.Context, *arriving) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	room := make(chan struct{}, arrivalRequests)
	for _, p := range page {
		room <- struct{}{}
		running.Go(func() {
			defer func() { <-room }()
			if ctx.Err() != nil {
				return
			}
			if err := do(ctx, p); err != nil {
				cancel(err)
			}
		})
	}
	running.Wait()
	return context.Cause(ctx)
}

const (
	sqlArrive = `INSERT INTO person (uid, iid, id, org, created_at, changed_at, sequence, removed, ended, gen, key, version, format, size) OVERRIDING SYSTEM VALUE
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
		ON CONFLICT (uid) DO UPDATE SET org = excluded.org, created_at = excluded.created_at, changed_at = excluded.changed_at,
		sequence = excluded.sequence, removed = excluded.removed, ended = excluded.ended, gen = excluded.gen, key = excluded.key, version = excluded.version,
		format = excluded.format, size = excluded.size, id = CASE WHEN person.id = excluded.id AND person.iid = excluded.iid THEN person.id END`
	sqlArrived = `UPDATE person SET version = $3 WHERE uid = $1 AND gen = $2`

	// sqlLate notes that a user's folder is to be looked at again where a request to store a picture may still be on its way: when none of them
	// was answered. The row bears a generation of its own: that of the picture may be brought again, and must not be erased then.
	sqlLate = `
WITH p AS MATERIALIZED (SELECT uid FROM person WHERE uid = $1 AND version = ''),
 w AS (UPDATE work SET tries = 0, due = clock_timestamp() + interval '1 min' WHERE state = 4 AND uid = (SELECT uid FROM p) RETURNING uid)
INSERT INTO work (gen, uid, state, reason, begun_at, due)
SELECT $2, uid, 4, 3, clock_timestamp(), clock_timestamp() + interval '1 min' FROM p WHERE NOT EXISTS (SELECT FROM w)`
)

// bring makes those who are not so what they are there: what is in their folders goes, then come the rows, then the pictures.
func (a *arrival) bring(ctx context.Context, page []*arriving) (changed int, err error) {
	var some []*arriving
	for _, p := range page {
		if p.changed {
			some = append(some, p)
		}
	}
	if len(some) == 0 {
		return 0, nil
	}
	if err := each(ctx, some, a.prepare); err != nil {
		return 0, err
	}
	batch := new(pgx.Batch)
	for _, p := range some {
		r := p.Record
		var gen, format, size, version any
		if p.Picture != nil {
			gen, format, size, version = generationID(p.Picture.Generation), int16(p.Picture.Format), len(p.Picture.Data), ""
		}
		if p.here != nil && p.here.gen != nil && p.here.version == "" {
			batch.Queue(sqlLate, r.Number, newGeneration())
		}
		batch.Queue(sqlArrive, r.Number, p.issuer.iid, r.ID, r.Organization, micros(r.Created), micros(r.Changed), r.Sequence, !r.State.On(), r.State.Refuses(),
			gen, p.key, version, format, size)
	}
	if err := a.pool.SendBatch(ctx, batch).Close(); err != nil {
		return 0, unfit(err)
	}
	if err := each(ctx, some, a.store); err != nil {
		return 0, err
	}
	batch = new(pgx.Batch)
	for _, p := range some {
		if p.Picture != nil {
			batch.Queue(sqlArrived, p.Record.Number, generationID(p.Picture.Generation), p.version)
		}
	}
	if batch.Len() == 0 {
		return len(some), nil
	}
	return len(some), a.pool.SendBatch(ctx, batch).Close()
}

// prepare encrypts a picture, and erases what is here of the user, or may be.
func (a *arrival) prepare(ctx context.Context, p *arriving) (err error) {
	if p.Picture != nil {
		if size := len(p.Picture.Data); size < 1 || size > storage.MaxPictureBytes || p.Picture.Format.MediaType() == "" {
			return fmt.Errorf("%w: a picture of %d bytes and format %d", storage.ErrExportDamaged, size, p.Picture.Format)
		}
		if p.sealed, p.key, err = a.keys.Seal(p.Picture.Generation[:], p.Picture.Data); err != nil {
			return err
		}
	}
	if p.here == nil || p.here.gen == nil {
		return nil
	}
	return a.empty(ctx, p.folder)
}

// empty erases everything in a folder, until nothing is listed.
func (a *arrival) empty(ctx context.Context, folder string) error {
	var before []bucket.Version
	for looks := 0; looks < maxLooks; {
		found, more, err := a.bucket.Versions(ctx, folder, folderPage, nil)
		if err != nil || len(found) == 0 {
			return err
		}
		for _, v := range found {
			if err := a.bucket.Delete(ctx, v.Name, v.ID); err != nil {
				return err
			}
		}
		if !more || isAmong(found, before) {
			looks++
		}
		before = found
	}
	return errNotEmpty
}

func (a *arrival) store(ctx context.Context, p *arriving) (err error) {
	if p.Picture == nil {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, putLimit)
	defer cancel()
	p.version, err = a.bucket.Put(limited, p.folder+generationID(p.Picture.Generation).String(), p.sealed)
	return err
}

const sqlFollow = `UPDATE person SET gen = NULL, key = NULL, version = NULL, format = NULL, size = NULL, sequence = greatest(sequence, $2),
	changed_at = greatest(changed_at, $3), removed = removed OR $4, ended = ended OR $4 WHERE uid = $1`

// Follow implements [storage.Arrival].
func (a *arrival) Follow(ctx context.Context, user storage.UserKey, details *storage.Details, ended bool) error {
	var uid int64
	var folder string
	var gen []byte
	err := a.pool.QueryRow(ctx, `SELECT p.uid, i.folder, p.gen FROM issuer i JOIN person p ON p.iid = i.iid WHERE i.url = $1 AND p.id = $2`,
		user.Issuer, user.ID).Scan(&uid, &folder, &gen)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if gen != nil {
		if err := a.empty(ctx, a.folders.of(folder, user.ID)); err != nil {
			return err
		}
	}
	if details == nil {
		details = new(storage.Details)
	}
	batch := new(pgx.Batch) // one transaction
	batch.Queue(sqlLate, uid, newGeneration())
	batch.Queue(sqlFollow, uid, int64(details.Sequence), details.ChangeDate, ended)
	if err := a.pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return nil
}
