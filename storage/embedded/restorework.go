package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/datadir"
	"example.org/avatard/storage/embedded/internal/slab"
)

// restoreBatch is how many rows share a transaction.
const restoreBatch = 8192

// restore builds a store in a directory of its own.
//
// The backup is read twice: first everything but pictures, which shows that the file is whole. Then the newer receipts are read, and then
// the backup's pictures that no receipt names.
type restore struct {
	ctx context.Context
	cfg Config
	opt storage.ImportOptions
	dir string

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
		return sum, fmt.Errorf("%s: %w", r.opt.Export.Name(), err)
	}
	for _, f := range r.opt.Newer {
		if err := r.readNewer(f); err != nil {
			return sum, fmt.Errorf("%s: %w", f.Name(), err)
		}
	}
	if err := r.checkGaps(); err != nil {
		return sum, err
	}
	if err := r.db.settleRemoved(); err != nil {
		return sum, err
	}
	if r.slab, err = slab.Open(r.place(), slabName, r.opt.Export.Store().ID, true); err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, r.slab.Close()) }()
	if err := r.readPictures(); err != nil {
		return sum, fmt.Errorf("%s: %w", r.opt.Export.Name(), err)
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
func (r *restore) each(f storage.Source, pass int64, do func(record storage.Record) error) (storage.ExportSummary, error) {
	b, err := f.Records()
	if err != nil {
		return storage.ExportSummary{}, err
	}
	if err := r.db.begin(); err != nil {
		return storage.ExportSummary{}, err
	}
	for n := 1; ; n++ {
		record, err := b.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = do(record)
		}
		if err == nil && n%restoreBatch == 0 {
			err = r.db.again()
			r.progress(f, pass, b)
		}
		if err == nil {
			err = r.ctx.Err()
		}
		if err != nil {
			return storage.ExportSummary{}, err
		}
	}
	r.progress(f, pass, b)
	return b.Summary(), r.db.commit()
}

func (r *restore) progress(f storage.Source, pass int64, b storage.RecordReader) {
	if r.opt.Progress != nil && f == r.opt.Export {
		done, total := b.Read()
		r.opt.Progress(pass*total+done, 2*total)
	}
}

// readRecords reads everything but pictures.
func (r *restore) readRecords() (err error) {
	if err := r.db.addStore(r.opt.Export.Store().ID); err != nil {
		return err
	}
	var last storage.UserRecord
	r.sum.Backup, err = r.each(r.opt.Export, 0, func(record storage.Record) error {
		switch rec := record.(type) {
		case storage.IssuerRecord:
			return r.db.addIssuer(rec)
		case storage.IssuerMoveRecord:
			return r.db.addIssuerMove(rec)
		case storage.OrganizationRecord:
			return r.db.addOrganization(rec)
		case storage.UserRecord:
			last = rec
			if err := r.db.addUser(rec); err != nil {
				return err
			}
			if rec.Picture == storage.PictureNone { // otherwise an earlier record may have it
				return r.db.forgetPicture(rec.Number)
			}
			return r.db.expectPicture(rec.Number)
		case storage.PictureRecord:
			return r.db.notePicture(last.Number, rec.Generation)
		case storage.ReceiptRecord:
			return r.addReceipt(rec, rec.User)
		case storage.AuditRecord:
			return r.db.addAudit(rec)
		}
		return nil
	})
	return err
}

func (r *restore) addReceipt(rec storage.ReceiptRecord, uid int64) error {
	if at := time.UnixMicro(rec.Time).UTC(); at.After(r.sum.NewestReceipt) {
		r.sum.NewestReceipt = at
	}
	return r.db.addReceipt(rec, uid)
}

// readNewer reads from a newer file the receipts that the backup does not have, and newer records of users. Each file has its own numbers
// of users and receipts; users are identified by their ids, receipts by the generation that they name.
func (r *restore) readNewer(f storage.Source) error {
	issuers := newerIssuers{db: r.db, urls: make(map[int64]string)}
	if err := r.db.forgetTheirs(); err != nil {
		return err
	}
	newest := f.Store().Began >= r.opt.Export.Store().Began // they come in their order
	sum, err := r.each(f, 0, func(record storage.Record) (err error) {
		switch rec := record.(type) {
		case storage.IssuerRecord:
			issuers.add(rec)
		case storage.IssuerMoveRecord:
			return issuers.move(rec)
		case storage.OrganizationRecord:
			return r.db.mergeOrganization(rec, newest)
		case storage.UserRecord:
			if rec.Issuer, err = issuers.ours(rec.Issuer); err != nil {
				return err
			}
			return r.db.mergeUser(rec)
		case storage.ReceiptRecord:
			known, err := r.db.erased(rec.Generation)
			if err != nil || known {
				return err
			}
			uid, err := r.db.ours(rec.User)
			if err != nil {
				return err
			}
			rec.Number = r.db.lastReceipt + 1
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

// checkGaps refuses files that lack erasures of some time after the backup, unless that is allowed. The store then notes since when its
// receipts are complete.
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

// readPictures reads the pictures that no receipt names.
func (r *restore) readPictures() error {
	var owner storage.UserRecord
	_, err := r.each(r.opt.Export, 1, func(record storage.Record) error {
		switch rec := record.(type) {
		case storage.UserRecord:
			owner = rec
		case storage.PictureRecord:
			return r.addPicture(owner.Number, rec)
		}
		return nil
	})
	return err
}

func (r *restore) addPicture(uid int64, rec storage.PictureRecord) error {
	wanted, err := r.db.takePicture(uid, rec.Generation)
	if err != nil || !wanted {
		return err
	}
	erased, err := r.db.erased(rec.Generation)
	if err != nil {
		return err
	}
	if erased {
		r.sum.Erased++
		return nil
	}
	if size := len(rec.Data); size < 1 || size > slab.MaxStoredBytes {
		return fmt.Errorf("%w: a picture of %d bytes, limit %d", storage.ErrExportDamaged, size, slab.MaxStoredBytes)
	}
	c := slab.ClassFor(len(rec.Data))
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
	image := slab.Image(rec.Generation, rec.Data)
	rest := slab.ClassPages[c] - int64(len(image))/slab.PageBytes
	if err := r.slab.Write(slot, image, rest); err != nil {
		return err
	}
	r.sum.Pictures++
	r.sum.PictureBytes += int64(len(rec.Data))
	return r.db.addGeneration(slot, uid, rec)
}

// fillSlab writes zeros to the slots without a picture, and makes the slab durable.
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
		{`SELECT count(*) FROM organization WHERE removed IN (0, 3)`, &r.sum.Organizations},
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
	// This slab has no byte of the pictures that the receipts name, so all of them are finished.
	if err := r.db.finish(r.horizon); err != nil {
		return err
	}
	return datadir.At(r.dir).Sync()
}
