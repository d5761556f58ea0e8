package storage

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Source is an export that can be read as often as necessary: an import reads all receipts before it reads pictures.
type Source interface {
	// Name is the source's name in messages.
	Name() string
	// Store is its first record.
	Store() StoreRecord
	// Records begins to read behind the first record.
	Records() (RecordReader, error)
}

// RecordReader reads an export from its beginning to its end.
type RecordReader interface {
	// Next returns the next record, but for the EndRecord. It returns io.EOF instead of an EndRecord that agrees with what was read;
	// with any other error, such as ErrExportDamaged, this is not a whole export.
	Next() (Record, error)
	// Read returns how many bytes have been read, and how many there are, 0 when that is not known.
	Read() (done, total int64)
	// Summary describes the export, once Next has returned io.EOF.
	Summary() ExportSummary
}

// ImportOptions choose what a place is filled with.
type ImportOptions struct {
	// Export holds users and pictures: it was made without ExportOptions.ReceiptsOnly.
	Export Source
	// Newer are other exports of the same store, usually newer ones with receipts only, in any order. Pictures that their receipts name
	// are left out, and a user who is in several exports gets the record with the highest sequence.
	Newer []Source
	// AllowGap imports although the receipts of some time between Export and the last of Newer are missing: because they were removed
	// for their age, or because an export of that time was not given. Pictures that were erased in that time come back.
	AllowGap bool
	// Progress, unless it is nil, is called now and then with the number of bytes that were read. Export is read twice, so total is
	// twice its size.
	Progress func(done, total int64)
}

// Arrange puts Newer in the order in which an engine has to take them, the oldest first: receipts get their numbers in this order. It
// refuses exports that do not belong together. Every Import begins with it.
func (o *ImportOptions) Arrange() error {
	if o.Export.Store().ReceiptsOnly {
		return fmt.Errorf("%s holds receipts only, which go beside a backup", o.Export.Name())
	}
	for _, s := range o.Newer {
		if s.Store().ID != o.Export.Store().ID {
			return fmt.Errorf("%s: %w", s.Name(), ErrOtherStore)
		}
	}
	o.Newer = slices.Clone(o.Newer)
	slices.SortStableFunc(o.Newer, func(a, b Source) int {
		return cmp.Or(cmp.Compare(a.Store().Began, b.Store().Began), cmp.Compare(a.Store().Since, b.Store().Since))
	})
	return nil
}

// ImportSummary describes what was restored.
type ImportSummary struct {
	Users, Organizations, Receipts, Audit int64
	// Pictures and PictureBytes are those that are served now.
	Pictures, PictureBytes int64
	// Erased counts the pictures of the backup that were left out because a newer receipt names them.
	Erased int64
	// Missing counts the users who had a picture that the backup does not hold, see [ExportTotals].
	Missing int64
	// Backup and Newer describe the exports. Newer is empty when there was only the backup.
	Backup ExportSummary
	Newer  []ExportSummary
	// Gaps are the times whose receipts are in none of the exports.
	Gaps []Gap
	// NewestReceipt is the time of the newest erasure that is known, zero when there is none.
	NewestReceipt time.Time
}

// Gap is a time whose receipts are missing.
type Gap struct{ From, Until time.Time }

// KnownUntil returns the moment up to which the restored store has the receipt of every erasure, but for those of the gaps.
func (r ImportSummary) KnownUntil() time.Time {
	until, _ := KnownUntil(r.Backup, r.Newer)
	return until
}

// KnownUntil returns up to when a backup and newer exports together have the receipt of every erasure, but for those of the gaps.
func KnownUntil(backup ExportSummary, newer []ExportSummary) (until time.Time, gaps []Gap) {
	newer = slices.Clone(newer)
	slices.SortFunc(newer, func(a, b ExportSummary) int { return a.KnownFrom().Compare(b.KnownFrom()) })
	until = backup.Ended
	for _, n := range newer {
		if !n.Ended.After(until) {
			continue
		}
		if from := n.KnownFrom(); from.After(until) {
			gaps = append(gaps, Gap{until, from})
		}
		until = n.Ended
	}
	return until, gaps
}

// CheckGaps returns ErrGap when receipts of some time are in none of these exports: an import refuses them unless AllowGap is set.
func CheckGaps(backup ExportSummary, newer []ExportSummary) error {
	_, gaps := KnownUntil(backup, newer)
	if len(gaps) == 0 {
		return nil
	}
	return fmt.Errorf("%w: between %s, up to where the backup and what goes on from it know, and %s, from where on the receipts do; add the file of that time, or take a newer backup",
		ErrGap, gaps[0].From.Format(time.RFC3339Nano), gaps[0].Until.Format(time.RFC3339Nano))
}
