package embedded

import (
	"errors"
	"fmt"
	"time"

	"example.org/avatard/storage/embedded/internal/hooks"
	"example.org/avatard/storage/embedded/internal/slab"
)

// The space of deleted pictures goes back to file systems that can make holes in files: first the erasure is durable and on record, then
// the slot is free, and then, while no changes come or when there is much of it, the committer punches a hole there. A hole
// reads as zeros like the free slot before, so it does not matter when it becomes durable. Regions at the end of the slab that are wholly
// free are taken off the metadata, durably, and then cut off the file.
const (
	// warmPages is how many pages of free slots of each size keep their blocks, the lowest ones: 4 MiB of all sizes. The file system need
	// not search blocks when they are written.
	warmPages = 64
	// rootedPages at the slab's beginning are never cut off, so that a small store need not grow again and again.
	rootedPages = 1024
	// A server that is never idle makes holes when more pages of free slots have blocks than this and a quarter of the pages in use.
	busyPages = 2048
	// It checks that every busyCommits group commits, and then punches busyPunches holes at most, which takes about a millisecond.
	busyCommits, busyPunches = 8, 128
	// trimRetry is the time until a hole that could not be punched is tried again.
	trimRetry = time.Minute
)

// trimmer is the committer's state of giving space back.
type trimmer struct {
	// warm and rooted are warmPages and rootedPages, unless a test has fewer.
	warm, rooted int64

	cannot bool                // the file system makes no holes
	failed []*slab.RegionSlots // in which a hole could not be punched
	since  time.Time           // the first of those
	err    error               // of the last try, nil when it succeeded
	look   error               // of the last search for free slots
	length int64               // of the slab's file, in bytes
}

// trim punches holes where free slots are beyond the reserve, the highest first, at most so many. It reports whether there may be
// more to do.
func (s *Store) trim(punches int) (more bool) {
	if s.trimmer.cannot {
		return false
	}
	for c := range slab.ClassPages {
		keep := s.trimmer.warm / slab.ClassPages[c]
		if s.space.short.Load() {
			keep = 0
		}
		for ; ; punches-- {
			_, _, whole := s.slots.Count(slab.Class(c))
			if whole <= keep {
				break
			}
			if punches == 0 {
				return true
			}
			if !s.punchHighest(slab.Class(c), whole-keep) {
				return false
			}
		}
	}
	return false
}

// punchHighest makes a hole of the highest free slots with blocks, as many as lie side by side and at most so many. It returns false
// when the file system cannot do that.
func (s *Store) punchHighest(c slab.Class, most int64) bool {
	r, first, end := s.slots.Highest(c, most)
	hooks.Failpoint("trim-punch")
	err := s.slab.Punch(r.First+first*r.SlotPages, (end-first)*r.SlotPages)
	hooks.Failpoint("trim-punched")
	if errors.Is(err, errors.ErrUnsupported) {
		s.trimmer.cannot = true
		s.log.Info("the file system cannot give back parts of a file: what deleted pictures leave is used again, and given back from the end of the file only")
		return false
	}
	for n := first; n < end; n++ {
		s.slots.Hollow(r, n)
	}
	s.stats.punched(err)
	if err != nil {
		s.trimFailed(r, fmt.Errorf("punch a hole in %s: %w", slabName, err))
	}
	return true
}

// trimFailed notes that space of a region could not be given back. No caller is affected.
func (s *Store) trimFailed(r *slab.RegionSlots, err error) {
	t := &s.trimmer
	if t.err == nil {
		t.since = time.Now()
		s.log.Warn("space could not be given back and will be tried again", "error", err)
	}
	t.err = err
	if r != nil {
		t.failed = append(t.failed, r)
	}
}

// retryTrim lets the next trim try again the holes that could not be punched.
func (s *Store) retryTrim() {
	t := &s.trimmer
	for _, r := range t.failed {
		s.slots.Doubt(r)
	}
	t.failed, t.err = nil, nil
}

// trimBusy gives space back between two group commits of a server that is never idle, when there is much of it.
func (s *Store) trimBusy() {
	if s.groupCommits%busyCommits == 0 && s.slots.WholePages > busyPages+s.slots.UsedPages/4 {
		s.trim(busyPunches)
	}
}

// cutTail takes the last region off when all of its slots are free, or what the file has behind the last region. It
// reports whether it did.
func (s *Store) cutTail() bool {
	t, r := &s.trimmer, s.slots.Last()
	if t.err != nil || s.commitErr != nil {
		return false
	}
	if r == nil || r.First < t.rooted || !r.IsEmpty() {
		return s.cutFile()
	}
	if err := cutEarly(s.slab, r.Region); err != nil {
		s.trimFailed(nil, err)
		return false
	}
	w := &cutRegion{Region: r.Region}
	s.commitBatch([]*request{{op: w}})
	if !w.done {
		if w.err != nil {
			s.trimFailed(nil, w.err)
		}
		return false
	}
	s.trimmer.forget(r)
	s.slots.Drop()
	s.cutFile()
	return true
}

// forget drops a region that was cut off.
func (t *trimmer) forget(r *slab.RegionSlots) {
	kept := t.failed[:0]
	for _, f := range t.failed {
		if f != r {
			kept = append(kept, f)
		}
	}
	t.failed = kept
}

// cutFile takes off what the file has behind the last region: zeros that no row names. A crash in between leaves a file that is longer
// than its regions, which the next process cuts, or fills when it grows.
func (s *Store) cutFile() bool {
	end := max(s.slots.End, 1) * slab.PageBytes
	if s.trimmer.length <= end {
		return false
	}
	hooks.Failpoint("trim-cut")
	if err := s.slab.Cut(end / slab.PageBytes); err != nil {
		s.trimFailed(nil, fmt.Errorf("cut %s: %w", slabName, err))
		return false
	}
	hooks.Failpoint("trim-cut-off")
	s.trimmer.length = end
	return true
}

// cutRegion takes a region off the metadata, with what is left in it of erased generations. The schema refuses that of any
// other generation.
type cutRegion struct {
	slab.Region
	done bool
	err  error
}

func (w *cutRegion) slotClass() (slab.Class, bool) { return 0, false }

func (w *cutRegion) apply(r *groupCommit, _ *request) error {
	if err := r.db.run(sqlForgetSlots, w.First, w.End()); err != nil {
		return err
	}
	hooks.Failpoint("trim-slots")
	return r.db.run(sqlRemoveRegion, w.First)
}

func (w *cutRegion) finished(_ *request, committed bool, err error) bool {
	w.done, w.err = committed, err
	return false
}
