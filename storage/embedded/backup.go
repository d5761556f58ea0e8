package embedded

import (
	"context"
	"errors"
	"fmt"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// How much a backup reads at a time: reading one page of metadata takes about a millisecond.
const (
	backupPageRows  = 128
	backupPageBytes = 4 << 20
	// backupTries is how often the end is tried again because a picture was erased in between.
	backupTries = 16
	// backupSlack is how many bytes of pictures may be written again, beside as many as were written at first, before
	// those that change are left out.
	backupSlack = 64 << 20
)

// Export returns the store's content as records, while it serves. It reads page by page, delays changes for about a millisecond at a
// time, and needs a few megabytes of memory whatever the size of the store.
func (s *Store) Export(ctx context.Context, opt storage.ExportOptions, to func(storage.Record) error) error {
	if opt.Since != nil && !opt.ReceiptsOnly {
		return errors.New("only receipts go on from another backup")
	}
	return s.newExport(ctx, opt, to).run()
}

func (s *Store) newExport(ctx context.Context, opt storage.ExportOptions, to func(storage.Record) error) *export {
	b := &export{s: s, opt: opt, ctx: ctx, to: to, slack: backupSlack, issuers: make(map[int64]bool), organizations: make(map[string]storage.OrganizationRecord)}
	if !opt.ReceiptsOnly || opt.Trail {
		b.trails = newTrails(opt.TrailAfter)
	}
	return b
}

// export is an export under way.
type export struct {
	s      *Store
	opt    storage.ExportOptions
	ctx    context.Context
	to     func(storage.Record) error
	counts storage.RecordCounts
	slack  int64
	store  storage.StoreRecord

	issuers       map[int64]bool                        // written
	issuerMoves   int                                   // moves of issuers when the issuers were written
	organizations map[string]storage.OrganizationRecord // as written
	trails        []*trail                              // none of receipts alone, unless asked for
	lastUser      int64                                 // uid of the last user of the first pass
	lastEnd       int64                                 // number of the last user who has ended and is written as such
	receipt       int64                                 // newest receipt written
	generation    slab.GenerationID                     // what it is of
	horizon       int64                                 // of the store's receipts, when the export ended
	pictureBytes  int64                                 // written in the first pass
	againBytes    int64                                 // and after it
	totals        storage.ExportTotals
}

// write passes a record on.
func (b *export) write(record storage.Record) error {
	b.counts.Count(record)
	return b.to(record)
}

func (b *export) run() error {
	if err := errors.Join(b.begin(), b.writeIssuers()); err != nil {
		return err
	}
	for _, tr := range b.trails {
		if err := tr.write(b, tr.after, tr.from); err != nil {
			return err
		}
	}
	if !b.opt.ReceiptsOnly {
		if err := b.writeUsers(); err != nil {
			return err
		}
	}
	// Receipts from before the export are written alone. Later ones name the users who changed since: their records are written again,
	// until no user has changed since the last page was read. That is the end of the export.
	ended, err := b.writeReceipts()
	if err != nil {
		return err
	}
	if err := errors.Join(b.checkIssuers(), b.writeOrganizations()); err != nil {
		return err
	}
	for _, tr := range b.trails {
		if err := tr.write(b, max(tr.after, tr.from), tr.to); err != nil {
			return err
		}
	}
	return b.write(storage.EndRecord{Ended: ended, Counts: b.counts, Totals: b.totals, Horizon: b.horizon, Newest: b.receipt, Generation: b.generation})
}

// begin notes the newest receipt and the newest audit rows, and writes the first record.
func (b *export) begin() error {
	var refused error
	err := b.s.look(func(db *database) error {
		b.store = storage.StoreRecord{ReceiptsOnly: b.opt.ReceiptsOnly, Began: b.s.now().UnixMicro()}
		err := db.once(`SELECT id, (SELECT ifnull(max(seq), 0) FROM receipt), (SELECT ifnull(max(uid), 0) FROM user) FROM store`,
			func(row backupRow) bool {
				b.store.ID = scanID(row, 0)
				b.store.Receipts, b.store.LastUser = row.ColumnInt64(1), row.ColumnInt64(2)
				return true
			})
		if err == nil && !b.opt.ReceiptsOnly {
			b.lastEnd, err = db.number(`SELECT ifnull(max(ended), 0) FROM user WHERE ended IS NOT NULL`)
		}
		if err == nil && b.opt.Since != nil {
			refused = b.goOn(db, *b.opt.Since)
		}
		for _, tr := range b.trails {
			if err == nil {
				tr.from, err = tr.newest(db)
			}
		}
		return err
	})
	if err := errors.Join(err, refused); err != nil {
		return err
	}
	return b.write(b.store)
}

// writeUsers is the first pass over all users.
func (b *export) writeUsers() error {
	for {
		var p backupPage
		if err := b.s.look(func(db *database) error { return p.readUsers(db, b.lastUser) }); err != nil {
			return err
		}
		if len(p.users) == 0 {
			b.pictureBytes, b.againBytes = b.againBytes, 0
			return nil
		}
		if _, err := b.writePage(&p, true); err != nil {
			return err
		}
		b.lastUser = p.users[len(p.users)-1].Number
		for _, u := range p.users {
			if u.State.On() {
				b.totals.Users++
			}
		}
	}
}

// writeReceipts writes all receipts, and with them the users who have changed, or ended, since their record was written. It
// returns the moment at which there was nothing more, and notes the newest rows of the audit trail of that moment.
func (b *export) writeReceipts() (ended int64, err error) {
	for tries := backupTries; ; {
		p := backupPage{receiptsOnly: b.opt.ReceiptsOnly, began: b.store.Receipts, lastUser: b.lastUser, since: b.store.Since}
		err := b.s.look(func(db *database) error {
			if err := p.readReceipts(db, b.receipt); err != nil || p.full {
				return err
			}
			if err := p.readEnded(db, b.lastEnd); err != nil || p.full {
				return err
			}
			ended = b.s.now().UnixMicro()
			if err := db.once(`SELECT horizon FROM store`, func(row backupRow) bool { b.horizon = row.ColumnInt64(0); return true }); err != nil {
				return err
			}
			for _, tr := range b.trails {
				var err error
				if tr.to, err = tr.newest(db); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		withBytes := !b.opt.ReceiptsOnly && b.againBytes <= b.pictureBytes+b.slack
		settled, err := b.writePage(&p, withBytes)
		if err == nil {
			err = b.writeEnded(&p)
		}
		if err != nil {
			return 0, err
		}
		b.totals.Changed += int64(len(p.users))
		for _, r := range p.receipts {
			if err := b.write(r); err != nil {
				return 0, err
			}
			b.receipt, b.generation = r.Number, r.Generation
		}
		if p.full {
			continue
		}
		if tries--; settled || tries == 0 {
			return ended, nil
		}
	}
}

// writeEnded writes the users of a page who have ended: all that there are without pictures, otherwise those who have ended since.
func (b *export) writeEnded(p *backupPage) error {
	if len(p.ended) == 0 {
		return nil
	}
	b.lastEnd = p.last
	_, err := b.writePage(&backupPage{users: p.ended}, false)
	return err
}

// writePage writes the users of a page with their pictures. settled is false when one of them was erased meanwhile.
func (b *export) writePage(p *backupPage, withBytes bool) (settled bool, err error) {
	if err := b.ctx.Err(); err != nil {
		return false, err
	}
	settled = true
	if withBytes {
		if settled, err = b.readPictures(p); err != nil {
			return false, err
		}
	}
	for _, u := range p.users {
		if err := b.writeOwner(u); err != nil {
			return false, err
		}
		record := u.UserRecord
		switch {
		case u.data != nil:
			record.Picture = storage.PictureFollows
		case u.slot != 0 && !b.opt.ReceiptsOnly:
			record.Picture = storage.PictureLost
			b.totals.Missing++
		}
		if err := b.write(record); err != nil {
			return false, err
		}
		if u.data == nil {
			continue
		}
		if err := b.write(storage.PictureRecord{Generation: u.generation, Format: u.format, Data: u.data}); err != nil {
			return false, err
		}
		b.againBytes += int64(len(u.data))
		clear(u.data)
	}
	return settled, nil
}

// readPictures reads the pictures of a page and then checks which of them are still active, as Get does: the slots of the others may
// hold another user's bytes by now.
func (b *export) readPictures(p *backupPage) (settled bool, err error) {
	faults := make([]error, len(p.users))
	for i := range p.users {
		if u := &p.users[i]; u.slot != 0 {
			if u.data, faults[i] = b.s.slab.Read(u.slot, u.generation, u.size); u.format.MediaType() == "" {
				faults[i] = errors.Join(faults[i], fmt.Errorf("format %d", u.format))
			}
		}
	}
	settled = true
	still := make([]bool, len(p.users))
	err = b.s.look(func(db *database) error {
		for i, u := range p.users {
			if u.slot == 0 {
				continue
			}
			err := db.rows(sqlStillActive, func(backupRow) bool {
				still[i] = true
				return false
			}, u.slot, u.generation[:])
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	for i := range p.users {
		switch u := &p.users[i]; {
		case u.slot == 0:
		case !still[i]:
			clear(u.data)
			u.data, settled = nil, false
		case faults[i] != nil:
			u.data = nil
			b.totals.Unreadable++
			b.s.log.Error("a picture cannot be read and is not in the backup", "generation", fmt.Sprintf("%x", u.generation),
				"user", u.ID, "organisation", u.Organization, "error", faults[i])
		}
	}
	return settled, nil
}

// writeOwner writes issuer and organisation of a user, unless they are written.
func (b *export) writeOwner(u pageUser) error {
	if !b.issuers[u.Issuer] {
		b.issuers[u.Issuer] = true
		if err := b.write(storage.IssuerRecord{Number: u.Issuer, URL: u.issuer}); err != nil {
			return err
		}
	}
	o := storage.OrganizationRecord{ID: u.Organization, Created: u.organizationCreated, State: u.organizationState}
	if b.organizations[o.ID] == o {
		return nil
	}
	b.organizations[o.ID] = o
	return b.write(o)
}

// look reads metadata. Changes wait for it.
func (s *Store) look(read func(db *database) error) error {
	s.db.lock()
	defer s.db.mu.Unlock()
	if s.db.conn == nil {
		return fmt.Errorf("%w: closed", storage.ErrUnavailable)
	}
	if err := read(s.db); err != nil {
		return errors.Join(storage.ErrUnavailable, err)
	}
	return nil
}
