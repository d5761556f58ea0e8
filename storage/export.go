package storage

import (
	"encoding/hex"
	"time"
)

// ExportOptions choose what a backup holds.
type ExportOptions struct {
	// ReceiptsOnly leaves out pictures, the audit trail, and users who never had a picture erased and have not ended. The rest is small, and
	// enough to keep a restore of an older backup from bringing back what was erased or has ended since.
	ReceiptsOnly bool
	// Trail writes the audit trail although ReceiptsOnly leaves it out. No backup is made with it.
	Trail bool
	// TrailAfter are the newest records of the trail that are known: only newer ones are written. It demands Trail. In an engine that several
	// processes change at once, a change that was under way while those were read may have a lower number, and is left out.
	TrailAfter TrailPosition
	// Since, unless it is nil, is where another backup of the same store has ended: only newer receipts are written, and all users who
	// have ended. It demands ReceiptsOnly.
	Since *ExportPosition
}

// TrailPosition is how far the audit trail is known; the zero value that nothing of it is.
type TrailPosition struct {
	// Changes and Refusals are the numbers of the newest records of each.
	Changes, Refusals int64
}

// Saw notes that a record is known.
func (p *TrailPosition) Saw(r AuditRecord) {
	if r.Refusal {
		p.Refusals = max(p.Refusals, r.Number)
	} else {
		p.Changes = max(p.Changes, r.Number)
	}
}

// ExportTotals count the users of a backup, and the pictures that changed while it was made.
type ExportTotals struct {
	// Users counts the users who were registered when their record was read.
	Users int64
	// Changed counts how often a user's record was written again because a picture was erased meanwhile.
	Changed int64
	// Missing counts the records whose picture was erased before its bytes were read, or that were left out because pictures
	// changed faster than they could be written. A later record of the same user may have a picture again.
	Missing int64
	// Unreadable counts the pictures that could not be read, or not as they were written. The log names them.
	Unreadable int64
}

// ExportPosition is where a backup has ended, and where the next one goes on.
type ExportPosition struct {
	// Store is the id of the store, Generation the picture that the last receipt is of, "" when there was none; in hexadecimal.
	Store, Generation string
	// Receipt is the number of the last receipt, 0 for none.
	Receipt int64
	// Ended is the moment up to which every erasure is in the backup, or in those that it goes on from.
	Ended time.Time
}

// ExportSummary describes a backup.
type ExportSummary struct {
	ExportTotals
	// ReceiptsOnly: the backup was made without pictures.
	ReceiptsOnly bool
	// Began and Ended are the moments between which it was made, by the clock of the store. Every erasure up to Ended is
	// in it, or in the backups that it goes on from.
	Began, Ended time.Time
	// Since is the end of the backup that it goes on from, zero for none. Receipts of erasures before Horizon may have been
	// removed because of their age; Horizon is zero when none were.
	Since, Horizon time.Time
	// Organizations, Receipts and Audit are numbers of records, Bytes is the size of the whole. Organizations counts those that were
	// removed as well, Audit counts changes and refusals.
	Organizations, Receipts, Audit, Bytes int64
	// Pictures is the number of pictures.
	Pictures int64
}

// Summary returns the summary of the export that ends with this record and began with store. It leaves out Bytes.
func (end EndRecord) Summary(store StoreRecord) ExportSummary {
	return ExportSummary{
		Since: momentOrZero(store.SinceTime), Horizon: momentOrZero(end.Horizon),
		ExportTotals: end.Totals, ReceiptsOnly: store.ReceiptsOnly,
		Began: time.UnixMicro(store.Began).UTC(), Ended: time.UnixMicro(end.Ended).UTC(),
		Organizations: end.Counts.Organizations, Receipts: end.Counts.Receipts,
		Audit:    end.Counts.Audit + end.Counts.Refusals,
		Pictures: end.Counts.Pictures,
	}
}

// Position returns where the export has ended that ends with this record and began with store.
func (end EndRecord) Position(store StoreRecord) ExportPosition {
	at := ExportPosition{Store: hex.EncodeToString(store.ID[:]), Receipt: end.Newest, Ended: time.UnixMicro(end.Ended).UTC()}
	if end.Newest > 0 {
		at.Generation = hex.EncodeToString(end.Generation[:])
	}
	return at
}

// KnownFrom returns the moment from which on every erasure up to Ended is in the backup; the zero time means since ever.
func (s ExportSummary) KnownFrom() time.Time {
	if s.Horizon.After(s.Since) {
		return s.Horizon
	}
	return s.Since
}

func momentOrZero(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}
