package main

import (
	"sync"

	"example.org/avatard/test/proof/testbed"
)

// receipts compares what callers were told with the server's own records.
type receipts struct {
	violations *violations

	mu      sync.Mutex
	epoch   int                       // starts of the server that came to serve
	pending map[string]acknowledgment // by receipt: told, and not yet found to count
	known   map[string]string         // receipt → user, of all on record
	above   int64                     // receipts up to this number are known and count
	newest  int64                     // highest number that is known
}

type acknowledgment struct {
	user  *user
	epoch int
}

func newReceipts(v *violations) *receipts {
	return &receipts{violations: v, pending: make(map[string]acknowledgment), known: make(map[string]string)}
}

// acknowledge notes that a caller was told of a receipt.
func (r *receipts) acknowledge(u *user, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, told := r.pending[id]; !told {
		r.pending[id] = acknowledgment{u, r.epoch}
	}
}

// served notes that the server has recovered: whatever was told before has to count.
func (r *receipts) served() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epoch++
}

// records is the database of a server that does not run.
type records interface {
	Receipts(above int64, each func(testbed.Receipt)) error
}

// compare looks at the records that a server left when it was killed: every receipt that a caller was told is there, once,
// and of the same user, and counts if it was told before the server's last start. With all set it reads them from the
// first on.
func (r *receipts) compare(m records, all bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	above := r.above
	found := make(map[string]bool)
	if all {
		above = 0
	}
	unfinished := false
	if err := m.Receipts(above, func(rec testbed.Receipt) {
		if found[rec.Generation] || rec.Number > r.newest && r.known[rec.Generation] != "" {
			r.violations.add(nil, receipt, "receipt %s is on record twice, again as number %d of user %s", rec.Generation, rec.Number, rec.User)
		}
		found[rec.Generation] = true
		r.known[rec.Generation] = rec.User
		r.newest = max(r.newest, rec.Number)
		told, ok := r.pending[rec.Generation]
		switch {
		case rec.Counts && ok && told.user.ID == rec.User:
			delete(r.pending, rec.Generation)
		case !rec.Counts && ok && told.epoch < r.epoch:
			r.violations.add(told.user, receipt, "receipt %s, number %d, was told before the last start and does not count", rec.Generation, rec.Number)
		}
		unfinished = unfinished || !rec.Counts
		if !unfinished {
			r.above = max(r.above, rec.Number)
		}
	}); err != nil {
		return err
	}
	for id, told := range r.pending {
		switch owner, ok := r.known[id]; {
		case !ok:
			r.violations.add(told.user, receipt, "receipt %s was told and is not on record", id)
		case owner != told.user.ID:
			r.violations.add(told.user, receipt, "receipt %s was told and is user %s's", id, owner)
		case !found[id]: // it was known to count
			delete(r.pending, id)
		}
	}
	if all && len(found) != len(r.known) {
		r.violations.add(nil, receipt, "%d receipts are on record, %d were", len(found), len(r.known))
	}
	return nil
}
