package embedded

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

const (
	// The delays after which a failed erasure is tried again: the first, and the longest.
	sweepDelayMin = time.Second
	sweepDelayMax = time.Minute
	// maxSwept is how many erasures are tried at a time: changes that arrive meanwhile wait.
	maxSwept = 32
)

// attempts counts how often the sweep has tried an erasure in vain, and has the time of the next try.
type attempts struct {
	failed int
	next   time.Time
	alone  int // how often it failed while all else went well
}

// after returns the attempts with the next one set, which is 1 s, 2 s, 4 s … 60 s after now, depending on their number.
func (a attempts) after(now time.Time) attempts {
	delay := sweepDelayMax
	if a.failed < 6 {
		delay = min(sweepDelayMin<<a.failed, sweepDelayMax)
	}
	a.next = now.Add(delay)
	return a
}

// orphanedUpload is an upload that failed and could not even be moved to ERASING.
type orphanedUpload struct {
	uid   int64
	slot  int64
	id    slab.GenerationID
	tries attempts
}

// swept is an erasure or an orphaned upload that the sweep tries again.
type swept struct {
	receipt int64 // 0 for an orphaned upload
	left    orphanedUpload
	tries   attempts
}

// sweepDue returns when the sweep is to try again, the zero time for never.
func (s *Store) sweepDue(time.Time) (due time.Time) {
	sooner := func(next time.Time) {
		if next.IsZero() { // not tried yet: now
			next = next.Add(1)
		}
		if due.IsZero() || next.Before(due) {
			due = next
		}
	}
	for _, tries := range s.erasures.failed {
		sooner(tries.next)
	}
	for i := range s.orphans {
		sooner(s.orphans[i].tries.next)
	}
	if s.commitErr != nil {
		sooner(s.probes.next)
	}
	return due
}

// sweep tries the erasures again that are due, at most maxSwept at a time.
func (s *Store) sweep() { s.sweepUntil(time.Now(), maxSwept) }

// sweepAll tries everything that is not finished once, whether it is due or not.
func (s *Store) sweepAll() { s.sweepUntil(time.Time{}, math.MaxInt) }

// sweepUntil tries the erasures again that are due at a time, all of them at the zero time.
func (s *Store) sweepUntil(now time.Time, limit int) {
	due := s.unfinished(now)
	due = due[:min(len(due), limit)]
	if s.commitErr != nil && len(due) == 0 {
		s.commitBatch(nil) // a change that would show that the disk works may come only once Ready reports it
	}
	for len(due) > 0 {
		n := min(len(due), maxSwept)
		s.sweepSome(due[:n])
		due = due[n:]
	}
	if s.commitErr != nil {
		s.probes.failed++
		s.probes = s.probes.after(time.Now())
	}
}

// unfinished returns the erasures that are due at a time, all of them at the zero time, the one that has waited longest first.
func (s *Store) unfinished(now time.Time) (due []swept) {
	for receipt, tries := range s.erasures.failed {
		due = append(due, swept{receipt: receipt, tries: tries})
	}
	for _, l := range s.orphans {
		due = append(due, swept{left: l, tries: l.tries})
	}
	if !now.IsZero() {
		due = slices.DeleteFunc(due, func(d swept) bool { return d.tries.next.After(now) })
	}
	slices.SortFunc(due, func(a, b swept) int {
		return cmp.Or(a.tries.next.Compare(b.tries.next), cmp.Compare(a.receipt, b.receipt), cmp.Compare(a.left.slot, b.left.slot))
	})
	return due
}

// sweepSome tries some erasures together, in a group commit of their own, so that no other change reads a state that is not finished.
// Those that fail are tried one by one: a page that cannot be written may fail the sync that all of them share.
func (s *Store) sweepSome(due []swept) {
	s.stats.retried(len(due))
	failed := s.sweepTogether(due)
	if len(failed) > 1 && s.commitErr == nil && s.slabErr == nil {
		one := failed
		failed = nil
		for _, w := range one {
			failed = append(failed, s.sweepTogether([]swept{w.swept})...)
		}
	}
	if len(failed) == 0 {
		return
	}
	s.failures.error(s.log, "erasures could not be finished and will be tried again", "count", s.stuck(), "error", failed[0].err)
	now := time.Now()
	for _, w := range failed {
		s.triedInVain(w, now)
	}
}

// triedInVain counts an attempt. An erasure that may be given up goes into quarantine after some of them.
func (s *Store) triedInVain(w *sweep, now time.Time) {
	if w.receipt == 0 {
		for i := range s.orphans {
			if l := &s.orphans[i]; l.slot == w.left.slot && l.id == w.left.id {
				l.tries.failed++
				l.tries = l.tries.after(now)
			}
		}
		return
	}
	tries, still := s.erasures.failed[w.receipt]
	if !still {
		return
	}
	tries.failed++
	if s.commitErr == nil && s.slabErr == nil && !isFull(w.err) {
		tries.alone++
	}
	s.erasures.failed[w.receipt] = tries.after(now)
	if tries.alone >= quarantineTries {
		s.considerQuarantine(w.receipt, w.err)
	}
}

// sweepTogether makes one group commit of all that are due and returns those that failed.
func (s *Store) sweepTogether(due []swept) (failed []*sweep) {
	batch := make([]*request, len(due))
	for i, d := range due {
		batch[i] = &request{op: &sweep{s: s, swept: d}}
	}
	s.commitBatch(batch)
	for _, t := range batch {
		if w := t.op.(*sweep); w.err != nil {
			failed = append(failed, w)
		}
	}
	return failed
}

// sweep finishes an erasure or an orphaned upload that start-up found, or that failed before.
type sweep struct {
	s *Store
	swept
	err error
}

func (w *sweep) slotClass() (slab.Class, bool) { return 0, false }

func (w *sweep) apply(r *groupCommit, t *request) error {
	if w.receipt == 0 {
		return w.abandon(r, t, w.left)
	}
	if e, open := w.s.erasures.open[w.receipt]; open {
		t.erase = append(t.erase, e)
	}
	return nil
}

// abandon moves an orphaned upload to ERASING, unless a later change of its user has done so.
func (w *sweep) abandon(r *groupCommit, t *request, l orphanedUpload) error {
	var u userRecord
	err := r.db.rows(sqlUserByUID, func(row *sqlite3.Stmt) bool {
		u = scanUser(row, "")
		return false
	}, l.uid)
	if err != nil {
		return err
	}
	gens, err := r.generations(l.uid)
	if err != nil {
		return err
	}
	gens = slices.DeleteFunc(gens, func(g generationRecord) bool {
		return g.slot != l.slot || g.id != l.id || g.state != stateUploading
	})
	if len(gens) == 0 {
		return nil
	}
	if err := r.erase(t, &u, gens, storage.ReasonAbandoned); err != nil {
		return err
	}
	return r.db.run(sqlUserReceipt, u.uid, u.receipt)
}

func (w *sweep) finished(_ *request, committed bool, err error) bool {
	w.err = err
	if committed && w.receipt == 0 { // now in the pending erasures
		w.s.orphans = slices.DeleteFunc(w.s.orphans, func(l orphanedUpload) bool { return l.slot == w.left.slot && l.id == w.left.id })
	}
	return false
}
