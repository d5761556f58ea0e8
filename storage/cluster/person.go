package cluster

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster/internal/bucket"
	"example.org/avatard/storage/cluster/internal/envelope"
)

// person is what a look sees: the record, and all that is to be erased of it.
type person struct {
	uid       int64 // 0 = nobody
	org       string
	sequence  int64
	created   time.Time
	changed   time.Time
	receipt   []byte
	removed   bool
	ended     bool   // never to be registered again, but by one who readmits
	gen       []byte // of the active picture, nil = none
	claim     generationID
	claimed   bool
	claimOver bool // its process has not ended it in time
	folder    string
	work      []erasure
	at        time.Time
	strays    bool // a picture may arrive that was given up, and may have arrived
}

// erasure is a generation that is to be erased; version is "" where nobody was told of one.
type erasure struct {
	gen     generationID
	version string
}

// Work is almost empty, and may be known to be: joined as a table it would be read whole, with all its dead rows. So it is joined as a query
// that cannot be merged into this one (OFFSET 0), which only a look-up by uid can answer.
const sqlLook = `
SELECT p.uid, p.org, p.sequence, p.created_at, p.changed_at, p.receipt, p.removed, p.ended, p.gen, p.claim,
       coalesce(p.claim_due < clock_timestamp(), false), i.folder, w.gen, w.version, w.state, clock_timestamp()
  FROM issuer i JOIN person p ON p.iid = i.iid
  LEFT JOIN LATERAL (SELECT gen, version, state FROM work WHERE work.uid = p.uid AND work.state IN (3, 4) OFFSET 0) w ON true
 WHERE i.url = $1 AND p.id = $2`

// look queues a look at a person, in a snapshot of its own behind the statements before it.
func (p *person) look(batch *pgx.Batch, user storage.UserKey) {
	batch.Queue(sqlLook, user.Issuer, user.ID).Query(func(rows pgx.Rows) error { return p.scan(rows) })
}

// scan reads what a look sees, and columns behind it.
func (p *person) scan(rows pgx.Rows, more ...any) error {
	*p = person{}
	for rows.Next() {
		var claim, gen []byte
		var version *string
		var state *int16
		err := rows.Scan(append([]any{&p.uid, &p.org, &p.sequence, &p.created, &p.changed, &p.receipt, &p.removed, &p.ended, &p.gen, &claim, &p.claimOver,
			&p.folder, &gen, &version, &state, &p.at}, more...)...)
		if err != nil {
			return err
		}
		p.claimed = copy(p.claim[:], claim) > 0
		switch {
		case state == nil:
		case *state == 4:
			p.strays = true
		default:
			e := erasure{}
			copy(e.gen[:], gen)
			if version != nil {
				e.version = *version
			}
			p.work = append(p.work, e)
		}
	}
	return rows.Err()
}

// registered returns nil when the person is on record in an organisation, "" = any.
func (p *person) registered(org string) error {
	switch {
	case p.uid == 0 || p.removed:
		return storage.ErrUserNotFound
	case org != "" && p.org != org:
		return storage.ErrOtherOrganization
	}
	return nil
}

func (p *person) generation() string { return hex.EncodeToString(p.gen) }

func (p *person) details() storage.Details { return details(p.sequence, p.created, p.changed, p.org) }

func (p *person) result() storage.Result {
	return storage.Result{Details: p.details(), Receipt: hex.EncodeToString(p.receipt)}
}

func details(sequence int64, created, changed time.Time, org string) storage.Details {
	return storage.Details{Sequence: uint64(sequence), CreationDate: created.UTC(), ChangeDate: changed.UTC(), Organization: org}
}

// date is the time of a change.
func (s *Store) date() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

const sqlRead = `
SELECT p.org, p.sequence, p.created_at, p.changed_at, p.removed, p.gen, p.key, p.version, coalesce(p.format, 0), coalesce(p.size, 0), i.folder
  FROM issuer i JOIN person p ON p.iid = i.iid
 WHERE i.url = $1 AND p.id = $2`

// stored is what a read finds on a person's row.
type stored struct {
	info    storage.Info
	gen     []byte
	key     []byte
	version *string
	folder  string
}

func (s *Store) read(ctx context.Context, user storage.UserKey, org string) (*stored, error) {
	if !user.Valid() || !ids.Valid(org) {
		return nil, storage.ErrInvalid
	}
	if s.closed.Load() {
		return nil, errClosed
	}
	var (
		r                stored
		in               string
		sequence         int64
		created, changed time.Time
		removed          bool
		format           int16
	)
	err := s.pool.QueryRow(ctx, sqlRead, user.Issuer, user.ID).
		Scan(&in, &sequence, &created, &changed, &removed, &r.gen, &r.key, &r.version, &format, &r.info.Size, &r.folder)
	switch {
	case errors.Is(err, pgx.ErrNoRows) || err == nil && removed:
		return nil, storage.ErrUserNotFound
	case err != nil:
		return nil, unavailable(ctx, fmt.Errorf("database: %w", err))
	case in != org:
		return nil, storage.ErrOtherOrganization
	}
	r.info.Details = details(sequence, created, changed, in)
	r.info.Format, r.info.Generation = storage.Format(format), hex.EncodeToString(r.gen)
	return &r, nil
}

// Stat implements [storage.Store].
func (s *Store) Stat(ctx context.Context, user storage.UserKey, org string) (storage.Info, error) {
	r, err := s.read(ctx, user, org)
	if err != nil {
		return storage.Info{}, fmt.Errorf("stat: %w", err)
	}
	return r.info, nil
}

// readTries bounds how often a read starts over because the picture was replaced before its bytes came.
const readTries = 16

// Get implements [storage.Store]. An object that is not there although the row names it is served as no picture; nothing is repaired
// because of it: with the wrong bucket that would take everybody's picture off the record.
func (s *Store) Get(ctx context.Context, user storage.UserKey, org string) (storage.Picture, error) {
	before := ""
	for range readTries {
		r, err := s.read(ctx, user, org)
		if err != nil {
			return storage.Picture{}, fmt.Errorf("get: %w", err)
		}
		if r.gen != nil && before == r.info.Generation {
			if err := s.isAnother(); err != nil {
				return storage.Picture{}, fmt.Errorf("get: %w", err)
			}
			s.counters.update(func(stats *storage.Stats) { stats.Missing++ })
			s.log.Error("a picture is on record and not in the bucket; avatard fsck looks for all of them", "generation", before)
		}
		if r.gen == nil || before == r.info.Generation {
			return storage.Picture{}, fmt.Errorf("get: %w", storage.ErrNoPicture)
		}
		data, err := s.bucket.Get(ctx, s.folders.of(r.folder, user.ID)+r.info.Generation, *r.version, storage.MaxPictureBytes+envelope.Overhead)
		if errors.Is(err, bucket.ErrNotFound) {
			before = r.info.Generation
			continue
		}
		if err == nil {
			data, err = s.keys.Open(r.gen, data, r.key)
		}
		if err != nil {
			return storage.Picture{}, fmt.Errorf("get: %w", unavailable(ctx, err))
		}
		return storage.Picture{Generation: r.info.Generation, Format: r.info.Format, Data: data}, nil
	}
	return storage.Picture{}, fmt.Errorf("get: %w: replaced again and again", storage.ErrUnavailable)
}
