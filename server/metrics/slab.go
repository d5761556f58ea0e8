package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"example.org/avatard/storage"
)

// syncDescs describe what makes things durable, by target.
type syncDescs struct{ seconds, failures *prometheus.Desc }

func newSyncDescs() syncDescs {
	return syncDescs{
		seconds:  newDesc("avatard_storage_sync_duration_seconds", "Time that making things durable took: the commit of a group commit's metadata (log), the sync of picture bytes (slab), moving the log into the database (checkpoint).", "target"),
		failures: newDesc("avatard_storage_sync_failures_total", "Commits of metadata (log), syncs of picture bytes (slab) and moves of the log into the database (checkpoint) that failed.", "target"),
	}
}

func (d syncDescs) collect(ch chan<- prometheus.Metric, target string, seconds storage.Distribution, failures uint64) {
	ch <- histogram(d.seconds, seconds, target)
	ch <- counter(d.failures, failures, target)
}

// slabDescs describe the files of an engine that keeps pictures in a slab.
type slabDescs struct{ reserve, quarantined, log, size, space, trims, slots, free *prometheus.Desc }

func newSlabDescs() slabDescs {
	return slabDescs{
		reserve:     newDesc("avatard_storage_reserve_bytes", "Room on the disk that is kept for deletes; it is used when the disk is full, and kept again when there is room."),
		quarantined: newDesc("avatard_storage_quarantined_slots", "Slots that are out of use because they cannot be overwritten; no acknowledged picture ever lay there."),
		log:         newDesc("avatard_storage_log_bytes", "Size of the log of metadata. It falls when no change has come for ten seconds; from 32 MiB on, uploads are refused."),
		size:        newDesc("avatard_storage_slab_bytes", "Size of the file that holds the pictures, holes included."),
		space:       newDesc("avatard_storage_slab_space_bytes", "Size of the slots that have an owner (used; after a start also those that were not looked at yet), of those that are free, and the space that the file takes on disk, looked at now and then.", "kind"),
		trims:       newDesc("avatard_storage_trim_failures_total", "Tries to give free slots back to the file system that failed; they fail no call and are made again."),
		slots:       newDesc("avatard_storage_slots", "Slots for pictures, by size in bytes.", "slot_bytes"),
		free:        newDesc("avatard_storage_free_slots", "Slots that are free, by size in bytes.", "slot_bytes"),
	}
}

func (d slabDescs) collect(ch chan<- prometheus.Metric, st storage.SlabStats) {
	ch <- gauge(d.reserve, float64(st.ReserveBytes))
	ch <- gauge(d.quarantined, float64(st.Quarantined))
	ch <- gauge(d.log, float64(st.LogBytes))
	ch <- gauge(d.size, float64(st.SlabBytes))
	ch <- gauge(d.space, float64(st.SlabUsedBytes), "used")
	ch <- gauge(d.space, float64(st.SlabFreeBytes), "free")
	ch <- gauge(d.space, float64(st.SlabDiskBytes), "disk")
	ch <- counter(d.trims, st.TrimFailures)
	for _, size := range st.Slots {
		label := strconv.FormatInt(size.Bytes, 10)
		ch <- gauge(d.slots, float64(size.Total), label)
		ch <- gauge(d.free, float64(size.Free), label)
	}
}
