package storage

import (
	"encoding/hex"
	"time"
)

// ExportOptions tell what a backup holds.
type ExportOptions struct {
	// ReceiptsOnly leaves out pictures, the audit trail, and users who never had a picture erased. What is left is small
	// and enough to keep a restore from an older backup from bringing back what was erased since.
	ReceiptsOnly bool
	// Since, unless it is nil, is where another backup of the same store has ended: of the receipts only newer ones are written.
	// That goes with ReceiptsOnly.
	Since *ExportPosition
}

// ExportTotals say what became of pictures that a backup has not as they were when it came by.
type ExportTotals struct {
	// Users counts the users who were there when the backup came by.
	Users int64
	// Changed counts how often somebody's record was written again because a picture was erased meanwhile.
	Changed int64
	// Missing counts the records whose picture was erased before its bytes were read, or came faster than they
	// could be written. A later record of the same user may have a picture again.
	Missing int64
	// Unreadable counts the pictures that the disk did not give, or not as they were written. The log names them.
	Unreadable int64
}

// ExportPosition tells where a backup has ended, for the next one to go on from.
type ExportPosition struct {
	// Store is the id of the store, Generation what the last receipt is of, "" when there was none; in hexadecimal.
	Store, Generation string
	// Receipt is the number of the last receipt, 0 for none.
	Receipt int64
	// Ended is the moment up to which every erasure is in the backup, or in those that it goes on from.
	Ended time.Time
}

// ExportSummary tells what is in a backup.
type ExportSummary struct {
	ExportTotals
	// ReceiptsOnly: it was made without pictures.
	ReceiptsOnly bool
	// Began and Ended are the moments between which it was made, by the clock of the store. It knows of every erasure
	// up to Ended.
	Began, Ended time.Time
	// Since is the end of the backup that it goes on from, zero for none. Receipts of erasures before Horizon may have gone
	// because of their age; it is zero when none have.
	Since, Horizon time.Time
	// Organizations, Receipts, Audit and Bytes are numbers of records and the size of the whole. Organizations are those that were
	// removed as well, Audit are changes and refusals.
	Organizations, Receipts, Audit, Bytes int64
	// Pictures counts those in it.
	Pictures int64
}

// Summary tells what is in the export that ends with this record and began with store. Bytes is left to those who know it.
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

// Position tells where the export has ended that ends with this record and began with store.
func (end EndRecord) Position(store StoreRecord) ExportPosition {
	at := ExportPosition{Store: hex.EncodeToString(store.ID[:]), Receipt: end.Newest, Ended: time.UnixMicro(end.Ended).UTC()}
	if end.Newest > 0 {
		at.Generation = hex.EncodeToString(end.Generation[:])
	}
	return at
}

// KnownFrom is the moment from which on the backup knows of every erasure, up to Ended: the zero time when that is always.
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
