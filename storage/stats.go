package storage

import (
	"slices"
	"time"
)

// Stats is what an engine has done since it was opened, and how it stands now, for those who operate it. An engine gives it
// by a method of its own; what does not exist in an engine is zero.
type Stats struct {
	// RoundChanges counts the rounds that were committed, by the number of changes that shared each.
	RoundChanges Distribution
	// CommitSeconds counts the commits of metadata, the sync of the log included, by how long each took, successful or
	// not.
	CommitSeconds Distribution
	// SlabSyncSeconds counts the syncs of picture bytes likewise. Those that make the slab larger are not in it.
	SlabSyncSeconds Distribution
	// CheckpointSeconds counts the tries to move the log of metadata into its database, likewise.
	CheckpointSeconds Distribution
	// CommitFailures, SlabSyncFailures and CheckpointFailures count those of them that failed.
	CommitFailures, SlabSyncFailures, CheckpointFailures uint64
	// LogBytes is the size of the log of metadata.
	LogBytes int64
	// Erased counts the pictures whose bytes were made to go, synced.
	Erased uint64
	// Pending counts the erasures that are due and not done, those under way included.
	Pending int
	// Stuck counts those of them that were tried, or found at start-up, and could not be finished.
	Stuck int
	// Retried counts the tries to finish such an erasure, successful or not, those at start-up included.
	Retried uint64
	// PrunedChanges, PrunedRefusals and PrunedReceipts count the records that were removed because of their age or number.
	PrunedChanges, PrunedRefusals, PrunedReceipts uint64
	// OldestPending is how long the oldest of them has been due, 0 when there is none.
	OldestPending time.Duration
	// ReserveBytes is what is kept for deletes on a full disk, and Short tells that new things are refused because there is little room.
	ReserveBytes int64
	Short        bool
	// Quarantined counts the slots that are out of use because they cannot be overwritten, and no picture that was acknowledged ever lay
	// there.
	Quarantined int
	// SlabBytes is the size of the file that holds the pictures. Parts of it may be holes, which take no space.
	SlabBytes int64
	// SlabDiskBytes is the space that it takes, as the file system tells it; it is looked at every now and then.
	SlabDiskBytes int64
	// SlabUsedBytes is the size of the slots that have an owner, SlabFreeBytes that of those that may be given away. After a
	// start, slots count as used until somebody has looked.
	SlabUsedBytes, SlabFreeBytes int64
	// TrimFailures counts the tries to give space back to the file system that failed. They fail no call.
	TrimFailures uint64
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

// Observe adds an observation. It is not for concurrent use.
func (d *Distribution) Observe(value float64) {
	i := 0
	for i < len(d.Bounds) && value > d.Bounds[i] {
		i++
	}
	d.Counts[i]++
	d.Sum += value
}

// NewDistribution returns a Distribution without observations.
func NewDistribution(bounds ...float64) Distribution {
	return Distribution{Bounds: bounds, Counts: make([]uint64, len(bounds)+1)}
}

// Clone returns a copy that later observations do not change.
func (d Distribution) Clone() Distribution {
	d.Counts = slices.Clone(d.Counts)
	return d
}
