package storage

import "time"

// Retention is how long records are kept that serving does not need. 0 keeps them for ever.
type Retention struct {
	// Changes and Refusals are the ages at which records of the audit trail are removed. What receipts have of the caller goes with changes.
	Changes, Refusals time.Duration
	// RefusalRows is how many refusals are kept at most. There may be more until the next pass.
	RefusalRows int64
	// Receipts is the age at which receipts are removed. A user's newest one stays as long as the user does. Without its receipt an
	// erased picture would come back from an older backup, so a restore of a backup that is older than the receipts is refused.
	Receipts time.Duration
}

// PassEvery returns how far apart passes are that remove old records: a tenth of the shortest age, and at least and at most so long.
// 0 = nothing is ever removed.
func (r Retention) PassEvery(least, most time.Duration) (every time.Duration) {
	if r.RefusalRows > 0 {
		every = most
	}
	for _, age := range [...]time.Duration{r.Changes, r.Refusals, r.Receipts} {
		if age > 0 {
			if one := min(max(age/10, least), most); every == 0 || one < every {
				every = one
			}
		}
	}
	return every
}
