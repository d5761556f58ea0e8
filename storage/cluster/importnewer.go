package cluster

import (
	"context"
	"fmt"

	"example.org/avatard/storage"
)

// issuer returns the row of an issuer, which it adds where needed.
func (i *importing) issuer(ctx context.Context, url string) (row issuerRow, err error) {
	if err := i.do(ctx, sqlAddIssuer, url); err != nil {
		return row, err
	}
	_, err = i.ask(ctx, []any{&row.iid, &row.folder}, `SELECT iid, folder FROM issuer WHERE url = $1`, url)
	return row, err
}

func (i *importing) addMove(ctx context.Context, m storage.IssuerMoveRecord) error {
	i.moves = append(i.moves, m)
	return i.do(ctx, `INSERT INTO issuer_move (from_url, to_url) VALUES ($1, $2)`, m.From, m.To)
}

// moveIssuer does a move again, unless users of the new issuer are here already: then it is of a store that was restored from before it
// and went on without it, and both stay what they are.
func (i *importing) moveIssuer(ctx context.Context, m storage.IssuerMoveRecord) error {
	var inUse bool
	_, err := i.ask(ctx, []any{&inUse}, `SELECT EXISTS (SELECT FROM issuer i JOIN person p ON p.iid = i.iid WHERE i.url = $1 AND NOT p.removed)`, m.To)
	if err != nil || inUse {
		return err
	}
	err = giveUsers(m.From, m.To, func(sql string, arguments ...any) error { return i.do(ctx, sql, arguments...) })
	if err != nil {
		return err
	}
	return i.addMove(ctx, m)
}

// newerIssuers are the issuers of a newer source, by its own numbers. Moves never go away and are in their order, so of two exports of one
// store one has the moves of the other, and perhaps some more: those were done between the two.
type newerIssuers struct {
	i       *importing
	urls    map[int64]string
	moves   []storage.IssuerMoveRecord
	shared  int // so many of ours the source has, too
	settled bool
}

// settle does again what was done between what was read before and this source, so that the users of both meet. It comes before the
// source's first user.
func (n *newerIssuers) settle(ctx context.Context) error {
	if n.settled {
		return nil
	}
	n.settled = true
	ours := n.i.moves
	for n.shared < min(len(n.moves), len(ours)) && n.moves[n.shared] == ours[n.shared] {
		n.shared++
	}
	if n.shared < len(ours) {
		return nil // the source is from before the others
	}
	for _, m := range n.moves[n.shared:] {
		if err := n.i.moveIssuer(ctx, m); err != nil {
			return err
		}
	}
	n.shared = len(n.i.moves)
	return nil
}

// ours returns the row of an issuer of the source: of the one that has its users by now.
func (n *newerIssuers) ours(ctx context.Context, theirs int64) (row issuerRow, err error) {
	url, ok := n.urls[theirs]
	if !ok {
		return row, fmt.Errorf("%w: a user of an issuer that is not in it", storage.ErrExportDamaged)
	}
	if err := n.settle(ctx); err != nil {
		return row, err
	}
	for _, m := range n.i.moves[n.shared:] {
		if url == m.From {
			url = m.To
		}
	}
	return n.i.issuer(ctx, url)
}

const (
	sqlMergeUser = `INSERT INTO person (iid, id, org, created_at, changed_at, sequence, removed, ended) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (id, iid) DO UPDATE SET org = excluded.org, created_at = excluded.created_at, changed_at = excluded.changed_at,
		sequence = excluded.sequence, removed = excluded.removed, ended = excluded.ended WHERE excluded.sequence > person.sequence`
	sqlTheirs = `INSERT INTO import_user (theirs, ours) SELECT $1, uid FROM person WHERE id = $2 AND iid = $3
		ON CONFLICT (theirs) DO UPDATE SET ours = excluded.ours`
)

// readNewer brings what a newer source knows: receipts that the export does not have, and records of users that have come further.
// Numbers of users and receipts are each source's own.
func (i *importing) readNewer(ctx context.Context, source storage.Source) error {
	issuers := &newerIssuers{i: i, urls: make(map[int64]string)}
	// The numbers that the export has given are behind the last one from here on.
	if err := i.do(ctx, `SELECT setval(pg_get_serial_sequence('person', 'uid'), (SELECT coalesce(max(uid), 0) + 1 FROM person), false)`); err != nil {
		return err
	}
	if err := i.do(ctx, `TRUNCATE import_user`); err != nil {
		return err
	}
	newest := source.Store().Began >= i.o.Export.Store().Began // they come in their order
	sum, err := i.each(ctx, source, 0, func(record storage.Record) error {
		switch r := record.(type) {
		case storage.IssuerRecord:
			issuers.urls[r.Number] = r.URL
		case storage.IssuerMoveRecord:
			if issuers.settled {
				return fmt.Errorf("%w: a move of an issuer behind a user", storage.ErrExportDamaged)
			}
			issuers.moves = append(issuers.moves, r)
		case storage.OrganizationRecord:
			if newest {
				return i.addOrganization(ctx, r)
			}
			return i.do(ctx, `INSERT INTO organization (id, created_at, removed, ended) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING`,
				r.ID, micros(r.Created), !r.State.On(), r.State.Refuses())
		case storage.UserRecord:
			return i.mergeUser(ctx, issuers, r)
		case storage.ReceiptRecord:
			return i.mergeReceipt(ctx, r)
		}
		return nil
	})
	if err == nil { // the source may have no user
		err = issuers.settle(ctx)
	}
	i.sum.Newer = append(i.sum.Newer, sum)
	return err
}

func (i *importing) mergeUser(ctx context.Context, issuers *newerIssuers, r storage.UserRecord) error {
	row, err := issuers.ours(ctx, r.Issuer)
	if err != nil {
		return err
	}
	if err := i.do(ctx, sqlMergeUser, row.iid, r.ID, r.Organization, micros(r.Created), micros(r.Changed), r.Sequence, !r.State.On(), r.State.Refuses()); err != nil {
		return err
	}
	return i.do(ctx, sqlTheirs, r.Number, r.ID, row.iid)
}

// mergeReceipt adds a receipt that is not known yet.
func (i *importing) mergeReceipt(ctx context.Context, r storage.ReceiptRecord) error {
	var known bool
	var uid *int64
	_, err := i.ask(ctx, []any{&known, &uid}, `SELECT EXISTS (SELECT FROM receipt WHERE gen = $1), (SELECT ours FROM import_user WHERE theirs = $2)`,
		generationID(r.Generation), r.User)
	switch {
	case err != nil || known:
		return err
	case uid == nil:
		return fmt.Errorf("%w: a receipt of a user who is not in it", storage.ErrExportDamaged)
	}
	r.Number = i.lastReceipt + 1
	return i.addReceipt(ctx, r, *uid)
}

// sqlWanted takes a picture that a user has and no receipt names: erased tells that one does.
const sqlWanted = `
WITH w AS (DELETE FROM import_picture WHERE uid = $1 AND gen = $2 RETURNING uid)
SELECT EXISTS (SELECT FROM receipt WHERE gen = $2), p.id, i.folder FROM w JOIN person p ON p.uid = w.uid JOIN issuer i ON i.iid = p.iid`

const sqlImportPicture = `UPDATE person SET gen = $2, key = $3, version = $4, format = $5, size = $6 WHERE uid = $1`

// readPictures brings the pictures that are nobody's erased ones.
func (i *importing) readPictures(ctx context.Context) error {
	var owner int64
	_, err := i.each(ctx, i.o.Export, 1, func(record storage.Record) error {
		switch r := record.(type) {
		case storage.UserRecord:
			owner = r.Number
		case storage.PictureRecord:
			return i.addPicture(ctx, owner, r)
		}
		return nil
	})
	return err
}

func (i *importing) addPicture(ctx context.Context, uid int64, r storage.PictureRecord) error {
	gen := generationID(r.Generation)
	var erased bool
	var id, folder string
	wanted, err := i.ask(ctx, []any{&erased, &id, &folder}, sqlWanted, uid, gen)
	if err != nil || !wanted {
		return err
	}
	if erased {
		i.sum.Erased++
		return nil
	}
	size := len(r.Data)
	if size < 1 || size > storage.MaxPictureBytes || r.Format.MediaType() == "" {
		return fmt.Errorf("%w: a picture of %d bytes and format %d", storage.ErrExportDamaged, size, r.Format)
	}
	ciphertext, key, err := i.keys.Seal(gen[:], r.Data)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, putLimit)
	version, err := i.bucket.Put(limited, i.folders.of(folder, id)+gen.String(), ciphertext)
	cancel()
	if err != nil {
		return err
	}
	i.sum.Pictures++
	i.sum.PictureBytes += int64(size)
	return i.do(ctx, sqlImportPicture, uid, gen, key, version, int16(r.Format), size)
}
