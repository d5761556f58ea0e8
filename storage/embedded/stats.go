package embedded

import (
	"sync"
	"time"
)

// Stats is what a store has done since it was opened, and how it stands now.
type Stats struct {
	// RoundChanges counts the rounds that were committed, by the number of changes that shared each.
	RoundChanges Distribution
	// CommitSeconds counts the commits of metadata, the sync of the log included, by how long each took, successful or
	// not.
	CommitSeconds Distribution
	// SlabSyncSeconds counts the syncs of picture bytes likewise. Those that make the slab larger are not in it.
	SlabSyncSeconds Distribution
	// CommitFailures and SlabSyncFailures count those of them that failed.
	CommitFailures, SlabSyncFailures uint64
	// Erased counts the pictures whose bytes were made to go, synced.
	Erased uint64
	// Pending counts the erasures that are due and not done, those under way included.
	Pending int
	// OldestPending is how long the oldest of them has been due, 0 when there is none.
	OldestPending time.Duration
	// SlabBytes is the size of the file that holds the pictures.
	SlabBytes int64
	// Slots tells about each size of slot, the smallest first.
	Slots []SlotStats
}

// SlotStats tells about the slots of one size.
type SlotStats struct {
	// Bytes is the size of a slot.
	Bytes int64
	// Total counts the slots there are, Free those that may be given away.
	Total, Free int64
}

// Distribution counts observations by their size.
type Distribution struct {
	// Bounds are the upper ends of the buckets, rising, each belonging to its bucket. It is not to be changed.
	Bounds []float64
	// Counts holds the number of observations in each bucket, and in its last place those above all bounds.
	Counts []uint64
	// Sum is the sum of all observations.
	Sum float64
}

func newDistribution(bounds ...float64) Distribution {
	return Distribution{Bounds: bounds, Counts: make([]uint64, len(bounds)+1)}
}

func (d *Distribution) observe(value float64) {
	i := 0
	for i < len(d.Bounds) && value > d.Bounds[i] {
		i++
	}
	d.Counts[i]++
	d.Sum += value
}

func (d Distribution) clone() Distribution {
	d.Counts = append([]uint64(nil), d.Counts...)
	return d
}

// stats collects Stats. The committer writes, a few times a round; whoever asks gets a copy.
type stats struct {
	mu     sync.Mutex
	counts Stats // without OldestPending and Slots
	oldest int64 // microseconds since 1970 of the oldest pending intent, 0 when there is none
	total  [len(slotPages)]int64
	free   [len(slotPages)]int64
}

func (st *stats) init() {
	st.counts.RoundChanges = newDistribution(1, 2, 4, 8, 16, 32, 64, 128, maxRound)
	// From a fast device to one that is about to fail.
	seconds := []float64{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5}
	st.counts.CommitSeconds = newDistribution(seconds...)
	st.counts.SlabSyncSeconds = newDistribution(seconds...)
}

// committed notes how the commit of a round ended.
func (st *stats) committed(changes int, took time.Duration, err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.counts.CommitSeconds.observe(took.Seconds())
	switch {
	case err != nil:
		st.counts.CommitFailures++
	case changes > 0:
		st.counts.RoundChanges.observe(float64(changes))
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
	st.counts.SlabSyncSeconds.observe(took.Seconds())
	if err != nil {
		st.counts.SlabSyncFailures++
		return
	}
	st.counts.Erased += uint64(erased)
}

// stand notes how the store stands between two rounds.
func (s *Store) stand() {
	pending, oldest := s.stuck(), s.ledger.oldest()
	st := &s.stats
	st.mu.Lock()
	defer st.mu.Unlock()
	st.counts.Pending, st.oldest = pending, oldest
	st.counts.SlabBytes = max(s.slots.end, 1) * pageBytes
	st.total = s.slots.total
	for c := range st.free {
		st.free[c] = int64(len(s.slots.free[c]))
	}
}

// Stats returns what the store has done and how it stands. It touches no disk and waits for nobody.
func (s *Store) Stats() Stats {
	st := &s.stats
	st.mu.Lock()
	defer st.mu.Unlock()
	out := st.counts
	for _, d := range []*Distribution{&out.RoundChanges, &out.CommitSeconds, &out.SlabSyncSeconds} {
		*d = d.clone()
	}
	if st.oldest > 0 {
		out.OldestPending = max(0, s.now().Sub(time.UnixMicro(st.oldest)))
	}
	for c, pages := range slotPages {
		out.Slots = append(out.Slots, SlotStats{Bytes: pages * pageBytes, Total: st.total[c], Free: st.free[c]})
	}
	return out
}
