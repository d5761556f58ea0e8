package storage

import (
	"fmt"
	"slices"
	"time"
)

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
