package embedded

import (
	"slices"
	"sync"
	"time"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// stats collects the figures of the store. The committer writes them, a few times a group commit; readers get a copy.
type stats struct {
	mu     sync.Mutex
	counts storage.Stats     // without OldestPending and SlabStats
	oldest int64             // microseconds since 1970 of the oldest pending intent, 0 when there is none
	slab   storage.SlabStats // without Slots
	slots  [len(slab.ClassPages)]storage.SlotStats
}

func (st *stats) init() {
	st.counts.GroupCommitChanges = storage.NewDistribution(1, 2, 4, 8, 16, 32, 64, 128, maxBatch)
	// From a fast device to one that is about to fail.
	seconds := []float64{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5}
	st.counts.CommitSeconds = storage.NewDistribution(seconds...)
	st.slab.SlabSyncSeconds = storage.NewDistribution(seconds...)
	st.slab.CheckpointSeconds = storage.NewDistribution(seconds...)
}

// committed notes how the commit of a group commit ended.
func (st *stats) committed(changes int, took time.Duration, err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.counts.CommitSeconds.Observe(took.Seconds())
	switch {
	case err != nil:
		st.counts.CommitFailures++
	case changes > 0:
		st.counts.GroupCommitChanges.Observe(float64(changes))
	}
}

// intended notes that erasures have become due, and how many there are in all.
func (st *stats) intended(pending int, now int64) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.counts.Pending = pending
	if st.oldest == 0 && pending > 0 {
		st.oldest = now
	}
}

// synced notes how a sync of the slab ended that was to finish some erasures.
func (st *stats) synced(erased int, took time.Duration, err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.slab.SlabSyncSeconds.Observe(took.Seconds())
	if err != nil {
		st.slab.SlabSyncFailures++
		return
	}
	st.counts.Erased += uint64(erased)
}

// checkpointed notes how a checkpoint ended.
func (st *stats) checkpointed(took time.Duration, err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.slab.CheckpointSeconds.Observe(took.Seconds())
	if err != nil {
		st.slab.CheckpointFailures++
	}
}

// pruned notes what was removed because of its age.
func (st *stats) pruned(n pruned) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.counts.PrunedChanges += uint64(n.changes)
	st.counts.PrunedRefusals += uint64(n.refusals)
	st.counts.PrunedReceipts += uint64(n.receipts)
}

// retried notes that erasures are tried again.
func (st *stats) retried(n int) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.counts.Retried += uint64(n)
}

// punched notes that a hole was punched, or was to be.
func (st *stats) punched(err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if err != nil {
		st.slab.TrimFailures++
	}
}

// measureSlab notes how many blocks the slab has.
func (s *Store) measureSlab() {
	bytes, err := s.slab.DiskBytes()
	if err != nil {
		return // the last figures stay
	}
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	s.stats.slab.SlabDiskBytes = bytes
}

// publishStats notes the state of the store between two group commits.
func (s *Store) publishStats() {
	pending, stuck, oldest := s.pending(), s.stuck(), s.erasures.oldest()
	st := &s.stats
	st.mu.Lock()
	defer st.mu.Unlock()
	st.counts.Pending, st.counts.Stuck, st.oldest = pending, stuck, oldest
	st.slab.Quarantined = len(s.erasures.locked)
	st.slab.SlabBytes = max(s.slots.End, 1) * slab.PageBytes
	free := int64(0)
	for c, pages := range slab.ClassPages {
		st.slots[c].Total, st.slots[c].Free, _ = s.slots.Count(slab.Class(c))
		free += st.slots[c].Free * pages * slab.PageBytes
	}
	st.slab.SlabFreeBytes = free
	st.slab.SlabUsedBytes = st.slab.SlabBytes - slab.PageBytes - free
}

// Stats returns counts of what the store has done, and its state. It neither reads the disk nor waits for changes.
func (s *Store) Stats() storage.Stats {
	st := &s.stats
	st.mu.Lock()
	defer st.mu.Unlock()
	out, own := st.counts, st.slab
	out.SlabStats = &own
	for _, d := range []*storage.Distribution{&out.GroupCommitChanges, &out.CommitSeconds, &out.SlabSyncSeconds, &out.CheckpointSeconds} {
		*d = d.Clone()
	}
	_, out.LogBytes = s.db.log.State()
	out.ReserveBytes, out.Short = s.space.held.Load(), s.space.short.Load()
	if st.oldest > 0 {
		out.OldestPending = max(0, s.now().Sub(time.UnixMicro(st.oldest)))
	}
	out.Slots = slices.Clone(st.slots[:])
	for c, pages := range slab.ClassPages {
		out.Slots[c].Bytes = pages * slab.PageBytes
	}
	return out
}
