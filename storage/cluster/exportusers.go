package cluster

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster/internal/bucket"
	"example.org/avatard/storage/cluster/internal/envelope"
)

// exported is a person as an export writes them.
type exported struct {
	storage.UserRecord
	issuer      string
	org         storage.OrganizationRecord
	gen, key    []byte
	version     *string
	format      int16
	folder      string
	data        []byte
	created     time.Time
	changed     time.Time
	orgsCreated time.Time
}

const sqlExported = `
SELECT p.uid, p.iid, i.url, i.folder, p.id, p.org, o.created_at, o.removed, o.ended, p.created_at, p.changed_at, p.sequence, p.removed, p.ended,
       p.gen, p.key, p.version, coalesce(p.format, 0)
  FROM person p JOIN issuer i ON i.iid = p.iid JOIN organization o ON o.id = p.org`

func (x *export) people(ctx context.Context, where string, arguments ...any) (list []exported, err error) {
	rows, err := x.s.pool.Query(ctx, sqlExported+where, arguments...)
	if err != nil {
		return nil, unavailable(ctx, err)
	}
	var u exported
	var orgRemoved, orgEnded, removed, ended bool
	into := []any{&u.Number, &u.Issuer, &u.issuer, &u.folder, &u.ID, &u.Organization, &u.orgsCreated, &orgRemoved, &orgEnded, &u.created, &u.changed,
		&u.Sequence, &removed, &ended, &u.gen, &u.key, &u.version, &u.format}
	_, err = pgx.ForEachRow(rows, into, func() error {
		u.Created, u.Changed = u.created.UnixMicro(), u.changed.UnixMicro()
		u.org = storage.OrganizationRecord{ID: u.Organization, Created: u.orgsCreated.UnixMicro(), State: stateOf(orgRemoved, orgEnded)}
		u.State = stateOf(removed, ended)
		list = append(list, u)
		return nil
	})
	return list, unavailable(ctx, err)
}

// writeUsers is the pass over everybody.
func (x *export) writeUsers(ctx context.Context) error {
	for last := int64(0); ; {
		page, err := x.people(ctx, ` WHERE p.uid > $1 ORDER BY p.uid LIMIT $2`, last, exportPage)
		if err != nil {
			return err
		}
		if err := x.writePage(ctx, page, true); err != nil {
			return err
		}
		if len(page) < exportPage {
			return nil
		}
		last = page[len(page)-1].Number
	}
}

// sqlTombstones finds those who have ended.
const sqlTombstones = `SELECT uid FROM person WHERE ended AND uid > $1 ORDER BY uid LIMIT $2`

// writeTombstones writes everybody who has ended and was not written as such, which no receipt tells of where there was no picture.
func (x *export) writeTombstones(ctx context.Context) error {
	for last := int64(0); ; {
		rows, err := x.s.pool.Query(ctx, sqlTombstones, last, checkPage)
		if err != nil {
			return unavailable(ctx, err)
		}
		page, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return unavailable(ctx, err)
		}
		var fresh []int64
		for _, last = range page {
			if !x.ended.has(last) {
				fresh = append(fresh, last)
			}
		}
		for some := range slices.Chunk(fresh, exportPage) {
			people, err := x.people(ctx, ` WHERE p.uid = ANY($1) ORDER BY p.uid`, some)
			if err != nil {
				return err
			}
			if err := x.writePage(ctx, people, false); err != nil {
				return err
			}
		}
		if len(page) < checkPage {
			return nil
		}
	}
}

// writePage writes people, with their pictures if withBytes.
func (x *export) writePage(ctx context.Context, page []exported, withBytes bool) error {
	for i := range page {
		u := &page[i]
		if err := x.writeOwner(u); err != nil {
			return err
		}
		if u.gen != nil && !x.o.ReceiptsOnly {
			u.Picture = storage.PictureLost
			if withBytes {
				if err := x.readPicture(ctx, u); err != nil {
					return err
				}
			}
			if u.data != nil {
				u.Picture = storage.PictureFollows
			} else {
				x.totals.Missing++
			}
		}
		if err := x.write(u.UserRecord); err != nil {
			return err
		}
		if u.State.On() && !x.written.has(u.Number) {
			x.totals.Users++
		}
		x.written.add(u.Number)
		if u.State == storage.Ended {
			x.ended.add(u.Number)
		}
		if u.data == nil {
			continue
		}
		if err := x.write(storage.PictureRecord{Generation: [16]byte(u.gen), Format: storage.Format(u.format), Data: u.data}); err != nil {
			return err
		}
		clear(u.data)
		u.data = nil
	}
	return nil
}

// readPicture reads the bytes of a picture. None means that it was erased meanwhile, which a receipt tells, or cannot be read.
func (x *export) readPicture(ctx context.Context, u *exported) error {
	name := x.s.folders.of(u.folder, u.ID) + hex.EncodeToString(u.gen)
	data, err := x.s.bucket.Get(ctx, name, *u.version, storage.MaxPictureBytes+envelope.Overhead)
	if err == nil {
		if u.data, err = x.s.keys.Open(u.gen, data, u.key); err == nil {
			return nil
		}
	} else if !errors.Is(err, bucket.ErrNotFound) {
		return unavailable(ctx, err)
	}
	var still bool
	if err := x.s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM person WHERE uid = $1 AND gen = $2)`, u.Number, u.gen).Scan(&still); err != nil {
		return unavailable(ctx, err)
	}
	if still {
		x.totals.Unreadable++
		x.s.log.Error("a picture cannot be read and is not in the backup", "generation", hex.EncodeToString(u.gen), "user", u.ID, "organisation", u.Organization, "error", err)
	}
	return nil
}

// writeOwner writes issuer and organisation of a person, unless they are written.
func (x *export) writeOwner(u *exported) error {
	if !x.issuers[u.Issuer] {
		x.issuers[u.Issuer] = true
		if err := x.write(storage.IssuerRecord{Number: u.Issuer, URL: u.issuer}); err != nil {
			return err
		}
	}
	return x.writeOrganization(u.org)
}

func (x *export) writeOrganization(o storage.OrganizationRecord) error {
	if x.organizations[o.ID] == o {
		return nil
	}
	x.organizations[o.ID] = o
	return x.write(o)
}
