package storage

import "time"

// Retention tells how long is kept what is not needed for serving. Of what is 0, everything is kept for ever.
type Retention struct {
	// Changes and Refusals are how old records of the audit trail become.
	Changes, Refusals time.Duration
	// RefusalRows is how many refusals are kept at most; one more is let stand now and then, until the next pass.
	RefusalRows int64
	// Receipts is how old receipts become. A user's newest one stays as long as the user does. What a receipt is good for ends with
	// it: an older backup brings back what it was of, so restoring one that is older than the receipts is refused.
	Receipts time.Duration
}
