package storage

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Source is an export that can be read as often as necessary: an import reads pictures only when it knows every receipt.
type Source interface {
	// Name is what people call it.
	Name() string
	// Store is its first record.
	Store() StoreRecord
	// Records begins to read behind the first record.
	Records() (RecordReader, error)
}

// RecordReader reads an export from its beginning to its end.
type RecordReader interface {
	// Next returns the next record. io.EOF comes behind an end that agrees with what was read, which is not returned; before that every
	// error tells that this is no whole export, for example ErrExportDamaged.
	Next() (Record, error)
	// Read tells how many bytes have been read, and of how many.
	Read() (done, total int64)
	// Summary tells what was in it, once Next has returned io.EOF.
	Summary() ExportSummary
}

// ImportOptions tell what to fill a place with.
type ImportOptions struct {
	// Export is what was there, made without ExportOptions.ReceiptsOnly.
	Export Source
	// Newer are other exports of the same store, usually newer ones with receipts only, in any order. No picture is brought that they
	// know to be erased, and users they know get the record that has come further.
	Newer []Source
	// AllowGap does it although erasures of some time between Export and the last of Newer are not known: because receipts have
	// gone that are not younger than the export, or because one is missing. Pictures that were erased then come back.
	AllowGap bool
	// Progress, unless it is nil, is told now and then how many bytes of Export are dealt with, twice over.
	Progress func(done, total int64)
}

// Arrange puts Newer in the order in which an engine has to take them, the oldest first: receipts get their numbers in this order. It
// refuses what does not belong together. Every Import begins with it.
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

// ImportSummary tells what was restored.
type ImportSummary struct {
	Users, Organizations, Receipts, Audit int64
	// Pictures and PictureBytes are those that are served now.
	Pictures, PictureBytes int64
	// Erased counts the pictures of the backup that were left out because a newer receipt names them.
	Erased int64
	// Missing counts the users who had a picture that the backup does not hold, see [ExportTotals].
	Missing int64
	// Backup and Newer tell about the files. Newer is empty when there was only the backup.
	Backup ExportSummary
	Newer  []ExportSummary
	// Gaps are the times of which no file knows what was erased.
	Gaps []Gap
	// NewestReceipt is the time of the newest erasure that is known, zero when there is none.
	NewestReceipt time.Time
}

// Gap is a time of which it is not known what was erased.
type Gap struct{ From, Until time.Time }

// KnownUntil is the moment up to which the restored store knows of every erasure, but for those of the gaps.
func (r ImportSummary) KnownUntil() time.Time {
	until, _ := KnownUntil(r.Backup, r.Newer)
	return until
}

// KnownUntil puts together what files know of erasures since the end of a backup.
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

// CheckGaps returns ErrGap when an import would refuse these files for what they leave out, unless that is allowed.
func CheckGaps(backup ExportSummary, newer []ExportSummary) error {
	_, gaps := KnownUntil(backup, newer)
	if len(gaps) == 0 {
		return nil
	}
	return fmt.Errorf("%w: between %s, up to where the backup and what goes on from it know, and %s, from where on the receipts do; add the file of that time, or take a newer backup",
		ErrGap, gaps[0].From.Format(time.RFC3339Nano), gaps[0].Until.Format(time.RFC3339Nano))
}
