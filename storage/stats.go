package storage

import (
	"slices"
	"time"
)

// Stats is what an engine has done since it was opened, and how it stands now, for operators. A field that an engine has nothing for is
// zero.
type Stats struct {
	// GroupCommitChanges counts the group commits, by the number of changes that shared each.
	GroupCommitChanges Distribution
	// CommitSeconds counts the commits of metadata by how long each took, successful or not, until the change was durable.
	CommitSeconds Distribution
	// CommitFailures counts those of them that failed.
	CommitFailures uint64
	// Erased counts the pictures whose bytes are gone, durably.
	Erased uint64
	// Pending counts the erasures that are due and not done, those under way included.
	Pending int
	// Stuck counts those of them that were tried, or found at start-up, and could not be finished.
	Stuck int
	// OldestPending is how long the oldest pending erasure has been due, 0 when there is none.
	OldestPending time.Duration
	// Retried counts the tries to finish an erasure that was stuck, successful or not, those at start-up included.
	Retried uint64
	// Missing counts the reads of a picture that is on record and whose bytes were not there, which were answered as if there were none.
	Missing uint64
	// PrunedChanges, PrunedRefusals and PrunedReceipts count the records that were removed because of their age or number.
	PrunedChanges, PrunedRefusals, PrunedReceipts uint64
	// Short: uploads and registrations are refused because there is little room, see Keeper.RoomForUploads.
	Short bool

	// SlabStats is nil in an engine that keeps pictures elsewhere.
	*SlabStats
}

// SlabStats is the part of Stats of an engine that keeps its metadata in a database with a log, and its pictures in the slots of one
// file, the slab, both on a disk of its own.
type SlabStats struct {
	// SlabSyncSeconds counts the syncs of picture bytes by how long each took, successful or not. Those that make the slab larger
	// are not in it.
	SlabSyncSeconds Distribution
	// CheckpointSeconds counts the tries to move the log of metadata into its database, likewise.
	CheckpointSeconds Distribution
	// SlabSyncFailures and CheckpointFailures count those of them that failed.
	SlabSyncFailures, CheckpointFailures uint64
	// LogBytes is the size of the log of metadata.
	LogBytes int64
	// ReserveBytes is what is kept for deletes on a full disk.
	ReserveBytes int64
	// Quarantined counts the slots that are out of use because they cannot be overwritten, and no picture that was acknowledged ever lay
	// there.
	Quarantined int
	// SlabBytes is the size of the slab. Parts of it may be holes, which take no space.
	SlabBytes int64
	// SlabDiskBytes is the space that it takes in the file system. It is looked up now and then.
	SlabDiskBytes int64
	// SlabUsedBytes is the size of the slots that have an owner, SlabFreeBytes that of those that may be given away. After a
	// start, slots count as used until the engine has looked them up.
	SlabUsedBytes, SlabFreeBytes int64
	// TrimFailures counts the tries to give space back to the file system that failed. They fail no call.
	TrimFailures uint64
	// Slots counts the slots of each size, the smallest first.
	Slots []SlotStats
}

// SlotStats counts the slots of one size.
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
