package cluster

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
)

// condition is a storage.Condition as statements take it.
type condition struct {
	match, none       [][]byte
	anyMatch, anyNone bool
}

// holds is the condition in SQL on the column p.gen, with parameters from $n on: arrays of generations and whether any will do.
func holds(n int) string {
	return fmt.Sprintf(`($%d::bytea[] IS NULL OR p.gen = ANY($%d) OR $%d AND p.gen IS NOT NULL) AND NOT coalesce(p.gen = ANY($%d::bytea[]) OR $%d AND p.gen IS NOT NULL, false)`,
		n, n, n+1, n+2, n+3)
}

func (c condition) arguments() []any { return []any{c.match, c.anyMatch, c.none, c.anyNone} }

// sqlCondition translates a condition. A generation that nobody can have matches nothing, and is kept: a list that became empty would
// demand nothing.
func sqlCondition(c storage.Condition) condition {
	generations := func(texts []string) (list [][]byte) {
		if len(texts) == 0 {
			return nil
		}
		list = [][]byte{}
		for _, text := range texts {
			if g, err := hex.DecodeString(text); err == nil && hex.EncodeToString(g) == text {
				list = append(list, g)
			}
		}
		return list
	}
	return condition{
		match: generations(c.IfMatch), anyMatch: slices.Contains(c.IfMatch, storage.AnyPicture),
		none: generations(c.IfNoneMatch), anyNone: slices.Contains(c.IfNoneMatch, storage.AnyPicture),
	}
}

var sqlReserve = `
WITH p AS MATERIALIZED (
   SELECT p.uid FROM issuer i JOIN person p ON p.iid = i.iid
    WHERE i.url = $1 AND p.id = $2 AND p.org = $3 AND NOT p.removed AND p.claim IS NULL AND ` + holds(7) + `
      FOR UPDATE OF p),
 q AS MATERIALIZED (SELECT * FROM p WHERE clock_timestamp() < $11),
 u AS (UPDATE person SET claim = $4, claim_due = clock_timestamp() + $5::interval FROM q WHERE person.uid = q.uid)
INSERT INTO work (gen, uid, state, reason, begun_at, due, org) SELECT $4, uid, 1, 3, $6, clock_timestamp() + $5::interval, $3 FROM q`

const sqlActivate = `
WITH p AS MATERIALIZED (
   SELECT p.uid, p.gen, p.version, p.org FROM issuer i JOIN person p ON p.iid = i.iid
    WHERE p.uid = $1 AND p.claim = $2 AND i.url = $3
      FOR UPDATE OF p),
 u AS (
   UPDATE person SET gen = $2, key = $4, version = $5, format = $6, size = $7, sequence = person.sequence + 1,
          changed_at = greatest(person.changed_at, $8), receipt = coalesce(p.gen, person.receipt), claim = NULL, claim_due = NULL
     FROM p WHERE person.uid = p.uid
   RETURNING person.sequence, person.created_at, person.changed_at, person.org, person.receipt),
 d AS (DELETE FROM work WHERE gen = $2 AND EXISTS (SELECT FROM p)),
 e AS (
   INSERT INTO work (gen, uid, state, reason, version, n, begun_at, due, org, caller, caller_org, request)
   SELECT gen, uid, 3, 2, version, nextval('receipt_number'), $8, clock_timestamp() + $9::interval, org, $10, $11, $13 FROM p WHERE gen IS NOT NULL),
 a AS (
   INSERT INTO audit (at, action, result, caller, caller_org, org, target, request)
   SELECT $8, '` + storage.ActionUpload + `', 'done', $10, $11, u.org, $12, $13 FROM u)
SELECT u.sequence, u.created_at, u.changed_at, u.org, u.receipt, p.gen, p.version FROM u, p`

// Put implements [storage.Store].
func (s *Store) Put(ctx context.Context, up storage.Upload) (storage.Result, error) {
	size := len(up.Picture.Data)
	switch {
	case !up.User.Valid() || !ids.Valid(up.Organization) || !up.By.Valid():
		return storage.Result{}, fmt.Errorf("put: %w: id", storage.ErrInvalid)
	case size == 0 || size > storage.MaxPictureBytes:
		return storage.Result{}, fmt.Errorf("put: %w: a picture of %d bytes", storage.ErrInvalid, size)
	case up.Picture.Format.MediaType() == "":
		return storage.Result{}, fmt.Errorf("put: %w: format %d", storage.ErrInvalid, up.Picture.Format)
	}
	u := &uploading{s: s, up: up, gen: newGeneration()}
	var err error
	// The picture is encrypted before the row is claimed, and the caller's slice is not looked at again.
	if u.ciphertext, u.key, err = s.keys.Seal(u.gen[:], up.Picture.Data); err != nil {
		return storage.Result{}, fmt.Errorf("put: %w", unavailable(ctx, err))
	}
	u.up.Picture.Data, u.size = nil, size
	res, err := s.attached(ctx, func(ctx context.Context) (storage.Result, error) {
		return s.change(ctx, up.User, func() (rest, storage.Result, error) { return u.begin(ctx) })
	})
	if err != nil {
		return res, fmt.Errorf("put: %w", err)
	}
	return res, nil
}

// uploading is one upload.
type uploading struct {
	s               *Store
	up              storage.Upload
	gen             generationID
	ciphertext, key []byte
	size            int
	person          *person
	version         string
	until           time.Time // when storing the object has to end: before the claim is over
}

// begin claims the person's row.
func (u *uploading) begin(ctx context.Context) (rest, storage.Result, error) {
	s, up := u.s, u.up
	reserved, created := false, false
	by := up.By
	by.Readmits = false // no upload does
	p, err := s.decide(ctx, func(a *attempt) {
		now := s.date()
		u.until = time.Now().Add(putLimit) // the statement may be answered long after it has taken effect
		if up.Register && up.If.Holds("") {
			s.register(a, up.User, up.Organization, by, now, &created)
		}
		arguments := []any{up.User.Issuer, up.User.ID, up.Organization, u.gen, claimLimit, now}
		queueMade(a.Batch, &reserved, sqlReserve, append(append(arguments, sqlCondition(up.If).arguments()...), a.until)...)
		a.person.look(a.Batch, up.User)
	}, func(p *person) (bool, error) {
		switch err := p.registered(up.Organization); {
		case reserved:
			return true, nil
		case errors.Is(err, storage.ErrUserNotFound) && up.Register:
			if !up.If.Holds("") {
				return false, storage.ErrConditionFailed
			}
			return false, s.refuses(ctx, up.User, up.Organization, by)
		case p.ended && p.org == up.Organization:
			return false, storage.ErrUserEnded
		case err != nil:
			return false, err
		case p.claimed:
			return false, nil
		case !up.If.Holds(p.generation()):
			return false, storage.ErrConditionFailed
		}
		return false, nil
	})
	if err != nil {
		if p != nil {
			return nil, storage.Result{}, err // it was decided: nothing was claimed
		}
		return u.release, storage.Result{}, err
	}
	u.person = p
	return u.store, storage.Result{}, nil
}

// release takes a claim back of which is not known whether it was made. Nothing was stored yet.
func (u *uploading) release(ctx context.Context) (storage.Result, error) {
	_, err := u.s.pool.Exec(ctx, `
WITH w AS (DELETE FROM work WHERE gen = $1 AND state = 1 RETURNING uid)
UPDATE person SET claim = NULL, claim_due = NULL FROM w WHERE person.uid = w.uid AND claim = $1`, u.gen)
	return storage.Result{}, err
}

// store puts the picture into the bucket, makes it the person's, and erases the one before.
func (u *uploading) store(ctx context.Context) (storage.Result, error) {
	s := u.s
	folder := s.folders.of(u.person.folder, u.up.User.ID)
	limited, cancel := context.WithDeadline(ctx, u.until)
	version, err := s.bucket.Put(limited, folder+u.gen.String(), u.ciphertext)
	cancel()
	if err != nil {
		return storage.Result{}, errors.Join(err, s.abandon(ctx, u.person, u.gen, folder))
	}
	u.version = version
	res, replaced, err := u.activate(ctx)
	if err != nil {
		return storage.Result{}, errors.Join(err, s.abandon(ctx, u.person, u.gen, folder))
	}
	if replaced == nil {
		return res, nil
	}
	return res, s.erase(ctx, u.person.uid, folder, []erasure{*replaced}, u.gen)
}

// abandon gives an upload up and erases what may have arrived, unless it is in place by now.
func (s *Store) abandon(ctx context.Context, p *person, gen generationID, folder string) error {
	if toErase, err := s.giveUp(ctx, p.uid, gen); err != nil || !toErase {
		return err
	}
	return s.erase(ctx, p.uid, folder, []erasure{{gen: gen}})
}

// errGivenUp: another process took the claim for over.
var errGivenUp = errors.New("the upload took too long and was given up")

// activate makes the picture the person's. When the answer to that is lost, it finds out what has become of it.
func (u *uploading) activate(ctx context.Context) (res storage.Result, replaced *erasure, err error) {
	ctx, cancel := context.WithTimeout(ctx, claimLimit)
	defer cancel()
	for {
		batch := new(pgx.Batch)
		found := u.queueActivation(batch, &res, &replaced)
		if err = u.s.pipeline(ctx, batch); err == nil && *found {
			return res, replaced, nil
		}
		var gen, claim []byte
		looked := u.s.pool.QueryRow(ctx, `SELECT gen, claim FROM person WHERE uid = $1`, u.person.uid).Scan(&gen, &claim)
		switch {
		case looked == nil && string(gen) == string(u.gen[:]):
			return u.activated(ctx)
		case looked == nil && string(claim) != string(u.gen[:]):
			return res, nil, errors.Join(errGivenUp, err)
		case looked == nil && err == nil: // the issuer has another address now
			return res, nil, errGivenUp
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return res, nil, errors.Join(err, looked)
		}
	}
}

func (u *uploading) queueActivation(batch *pgx.Batch, res *storage.Result, replaced **erasure) (found *bool) {
	found = new(bool)
	up := u.up
	batch.Queue(sqlActivate, u.person.uid, u.gen, up.User.Issuer, u.key, u.version, int16(up.Picture.Format), u.size, u.s.date(), claimLimit,
		up.By.Caller, up.By.CallerOrganization, up.User.ID, up.By.RequestID).QueryRow(func(row pgx.Row) error {
		var p person
		var version *string
		err := row.Scan(&p.sequence, &p.created, &p.changed, &p.org, &p.receipt, &p.gen, &version)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		*found, *res = true, u.result(&p)
		if p.gen != nil {
			e := &erasure{version: *version}
			copy(e.gen[:], p.gen)
			*replaced = e
		}
		return nil
	})
	return found
}

// result is that of the upload when it is done.
func (u *uploading) result(p *person) storage.Result {
	res := p.result()
	res.Generation = hex.EncodeToString(u.gen[:])
	return res
}

// activated returns what an activation has done whose answer was lost. What it replaced is among the person's erasures.
func (u *uploading) activated(ctx context.Context) (storage.Result, *erasure, error) {
	batch, p := new(pgx.Batch), new(person)
	p.look(batch, u.up.User)
	if err := u.s.pipeline(ctx, batch); err != nil {
		return storage.Result{}, nil, err
	}
	for _, e := range p.work {
		if hex.EncodeToString(e.gen[:]) == hex.EncodeToString(p.receipt) {
			return u.result(p), &e, nil
		}
	}
	return u.result(p), nil, nil
}
