package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"avatard/storage"
	"avatard/storage/embedded/internal/datadir"
	"avatard/storage/embedded/internal/slab"
)

// restoreBatch is how many rows share a transaction.
const restoreBatch = 8192

// restore builds a store in a directory of its own.
//
// The backup is read twice. The first time brings everything but pictures, and shows that the file is whole; then come
// the newer receipts; the second time brings the pictures that no receipt names.
type restore struct {
	ctx    context.Context
	cfg    Config
	opt    RestoreOptions
	dir    string
	backup *backupFile
	newer  []*backupFile

	horizon time.Time // of the receipts that are restored

	db    *restoreDB
	slots slab.Slots
	slab  *slab.Slab
	sum   storage.ImportSummary
}

// place is the directory that the store is built in.
func (r *restore) place() datadir.Dir { return datadir.Dir{Path: r.dir, Wrap: r.cfg.WrapFile} }

func (r *restore) run() (sum storage.ImportSummary, err error) {
	if r.db, err = openRestoreDB(r.place()); err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, r.db.close()) }()
	if err := r.readRecords(); err != nil {
		return sum, fmt.Errorf("%s: %w", r.backup.name, err)
	}
	for _, f := range r.newer {
		if err := r.readNewer(f); err != nil {
			return sum, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if err := r.checkGaps(); err != nil {
		return sum, err
	}
	if err := r.db.settleRemoved(); err != nil {
		return sum, err
	}
	if r.slab, err = slab.Open(r.place(), slabName, r.backup.store.id, true); err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, r.slab.Close()) }()
	if err := r.readPictures(); err != nil {
		return sum, fmt.Errorf("%s: %w", r.backup.name, err)
	}
	if err := r.fillSlab(); err != nil {
		return sum, err
	}
	if err := r.finish(); err != nil {
		return sum, err
	}
	return r.sum, nil
}

// each calls do for every record of a file, in transactions of a bounded size.
func (r *restore) each(f *backupFile, pass int64, do func(record any) error) (storage.ExportSummary, error) {
	b, err := f.records()
	if err != nil {
		return storage.ExportSummary{}, err
	}
	if err := r.db.begin(); err != nil {
		return storage.ExportSummary{}, err
	}
	for n := 1; ; n++ {
		record, err := b.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = do(record)
		}
		if err == nil && n%restoreBatch == 0 {
			err = r.db.again()
			r.progress(f, pass*f.size+b.offset)
		}
		if err == nil {
			err = r.ctx.Err()
		}
		if err != nil {
			return storage.ExportSummary{}, err
		}
	}
	r.progress(f, pass*f.size+b.offset)
	return b.summary(), r.db.commit()
}

func (r *restore) progress(f *backupFile, done int64) {
	if r.opt.Progress != nil && f == r.backup {
		r.opt.Progress(done, 2*f.size)
	}
}

// readRecords brings everything but pictures.
func (r *restore) readRecords() (err error) {
	if err := r.db.addStore(r.backup.store.id); err != nil {
		return err
	}
	var last backedUser
	r.sum.Backup, err = r.each(r.backup, 0, func(record any) error {
		switch rec := record.(type) {
		case issuerRecord:
			return r.db.addIssuer(rec)
		case issuerMove:
			return r.db.addIssuerMove(rec)
		case organizationRecord:
			return r.db.addOrganization(rec)
		case backedUser:
			last = rec
			if err := r.db.addUser(rec); err != nil {
				return err
			}
			if rec.picture == pictureNone { // else an earlier record may have it
				return r.db.forgetPicture(rec.uid)
			}
			return r.db.expectPicture(rec.uid)
		case pictureRecord:
			return r.db.notePicture(last.uid, rec.generation)
		case receiptRecord:
			return r.addReceipt(rec, rec.uid)
		case auditRecord:
			return r.db.addAudit(rec)
		}
		return nil
	})
	return err
}

func (r *restore) addReceipt(rec receiptRecord, uid int64) error {
	if at := time.UnixMicro(rec.time).UTC(); at.After(r.sum.NewestReceipt) {
		r.sum.NewestReceipt = at
	}
	return r.db.addReceipt(rec, uid)
}

// readNewer brings what a newer file knows: receipts that the backup does not have, and records of users that have come
// further. Numbers of users and receipts are each file's own; people are known by their ids, receipts by the
// generation that they name.
func (r *restore) readNewer(f *backupFile) error {
	issuers := newerIssuers{db: r.db, urls: make(map[int64]string)}
	if err := r.db.forgetTheirs(); err != nil {
		return err
	}
	newest := f.store.began >= r.backup.store.began // they come in their order
	sum, err := r.each(f, 0, func(record any) (err error) {
		switch rec := record.(type) {
		case issuerRecord:
			issuers.add(rec)
		case issuerMove:
			return issuers.move(rec)
		case organizationRecord:
			return r.db.mergeOrganization(rec, newest)
		case backedUser:
			if rec.iid, err = issuers.ours(rec.iid); err != nil {
				return err
			}
			return r.db.mergeUser(rec)
		case receiptRecord:
			known, err := r.db.erased(rec.generation)
			if err != nil || known {
				return err
			}
			uid, err := r.db.ours(rec.uid)
			if err != nil {
				return err
			}
			rec.seq = r.db.lastReceipt + 1
			return r.addReceipt(rec, uid)
		}
		return err
	})
	if err == nil { // the file may have no user
		err = issuers.settle()
	}
	r.sum.Newer = append(r.sum.Newer, sum)
	return err
}

// checkGaps refuses files that leave out what was erased at some time after the backup, unless that is allowed. The store then knows
// from when on it knows everything.
func (r *restore) checkGaps() error {
	r.horizon = r.sum.Backup.KnownFrom()
	_, r.sum.Gaps = storage.KnownUntil(r.sum.Backup, r.sum.Newer)
	if len(r.sum.Gaps) == 0 {
		return nil
	}
	if !r.opt.AllowGap {
		return storage.CheckGaps(r.sum.Backup, r.sum.Newer)
	}
	r.horizon = r.sum.Gaps[len(r.sum.Gaps)-1].Until
	return nil
}

// readPictures brings the pictures that are nobody's erased ones.
func (r *restore) readPictures() error {
	var owner backedUser
	_, err := r.each(r.backup, 1, func(record any) error {
		switch rec := record.(type) {
		case backedUser:
			owner = rec
		case pictureRecord:
			return r.addPicture(owner.uid, rec)
		}
		return nil
	})
	return err
}

func (r *restore) addPicture(uid int64, rec pictureRecord) error {
	wanted, err := r.db.takePicture(uid, rec.generation)
	if err != nil || !wanted {
		return err
	}
	erased, err := r.db.erased(rec.generation)
	if err != nil {
		return err
	}
	if erased {
		r.sum.Erased++
		return nil
	}
	c := slab.ClassFor(len(rec.data))
	slot, _, ok := r.slots.Take(c)
	if !ok {
		next := r.slots.Next(c)
		if err := r.db.addRegion(next); err != nil {
			return err
		}
		if err := r.slots.Add(next, true); err != nil {
			return err
		}
		slot, _, _ = r.slots.Take(c)
	}
	image := slab.Image(rec.generation, rec.data)
	rest := slab.ClassPages[c] - int64(len(image))/slab.PageBytes
	if err := r.slab.Write(slot, image, rest); err != nil {
		return err
	}
	r.sum.Pictures++
	r.sum.PictureBytes += int64(len(rec.data))
	return r.db.addGeneration(slot, uid, rec)
}

// fillSlab writes zeros over the slots that nobody has, and makes the slab durable.
func (r *restore) fillSlab() error {
	if err := r.slots.EachFree(r.slab.Zero); err != nil {
		return err
	}
	return r.slab.Sync()
}

// finish puts the rest on record and makes everything durable.
func (r *restore) finish() (err error) {
	for _, q := range []struct {
		sql string
		n   *int64
	}{
		{`SELECT count(*) FROM user WHERE removed = 0`, &r.sum.Users},
		{`SELECT count(*) FROM organization WHERE removed = 0`, &r.sum.Organizations},
		{`SELECT count(*) FROM receipt`, &r.sum.Receipts},
		{`SELECT (SELECT count(*) FROM audit) + (SELECT count(*) FROM refusal)`, &r.sum.Audit},
	} {
		if *q.n, err = r.db.number(q.sql); err != nil {
			return err
		}
	}
	if r.sum.Missing, err = r.db.missing(); err != nil {
		return err
	}
	// No byte of what the receipts name is in this slab, so all of them count.
	if err := r.db.finish(r.horizon); err != nil {
		return err
	}
	return datadir.At(r.dir).Sync()
}
