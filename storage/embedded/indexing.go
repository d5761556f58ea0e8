package embedded

import (
	"time"

	"example.org/avatard/storage/embedded/internal/hooks"
	"example.org/avatard/storage/embedded/internal/slab"
)

const (
	// indexRows is how many receipts are looked through when one is searched for, before they are indexed, and how many are indexed at
	// once. It takes about ten milliseconds.
	indexRows = 4096
	// indexRetry is the time between tries while transactions fail.
	indexRetry = time.Minute
)

// indexing is the committer's state of indexing receipts by what they are of, which spares each delete the page that an index costs. Only
// the committer uses it.
type indexing struct {
	rows    int64     // indexRows, fewer in tests
	indexed int64     // the last receipt that is indexed
	since   time.Time // when there were enough to index, or when to try again; zero when there are too few
}

// indexDue returns when the next step is due: quietTime after the last group commit. Should callers keep it waiting, it counts as late.
func (s *Store) indexDue(quiet time.Time) time.Time {
	x := &s.indexing
	if s.erasures.issued-x.indexed < x.rows {
		x.since = time.Time{}
		return x.since
	}
	if x.since.IsZero() {
		x.since = time.Now()
	}
	if calm := quiet.Add(quietTime); x.since.Before(calm) && !x.since.Add(choreLate).Before(calm) {
		return calm
	}
	return x.since
}

// indexReceipts takes one step: a group commit of its own, of bounded length.
func (s *Store) indexReceipts() {
	w := &indexStep{s: s, to: min(s.indexing.indexed+s.indexing.rows, s.erasures.issued)}
	if s.commitErr != nil || s.checkpoints.failed || s.space.short.Load() {
		w.failed = true // no user waits for this
	} else {
		s.commitBatch([]*request{{op: w}})
	}
	if s.indexing.since = (time.Time{}); w.failed {
		s.indexing.since = time.Now().Add(indexRetry)
	}
}

// indexStep indexes some receipts.
type indexStep struct {
	s      *Store
	to     int64
	failed bool
}

func (w *indexStep) slotClass() (slab.Class, bool) { return 0, false }

func (w *indexStep) apply(r *groupCommit, _ *request) error {
	if err := r.db.run(sqlIndexReceipts, w.s.indexing.indexed, w.to); err != nil {
		return err
	}
	hooks.Failpoint("index-rows")
	return r.db.run(sqlSetIndexed, w.to)
}

func (w *indexStep) finished(_ *request, committed bool, err error) (again bool) {
	if w.failed = err != nil || !committed; !w.failed {
		w.s.indexing.indexed = w.to
	}
	return false
}
