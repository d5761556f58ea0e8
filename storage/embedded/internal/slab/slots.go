package slab

import (
	"fmt"

	"example.org/avatard/storage"
)

// ClassPages are the sizes of slots, in pages, that regions are made with. A picture takes the smallest that holds it and its
// header. The steps waste at most a half, a quarter on average.
//
// This is on-disk format, never edit it: a region has slots of one of these sizes. Larger ones may be appended.
var ClassPages = [...]int64{1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, MaxSlotPages}

// MaxSlotPages is the size of the largest slots: a picture of 1 MiB and its header. It is on-disk format, too.
const MaxSlotPages = 257

// MaxStoredBytes is the largest picture that may be stored, on-disk format of the metadata and of backups. storage.MaxPictureBytes is what is
// taken now: it may be less, and larger pictures that were stored before are still served.
const MaxStoredBytes = 1 << 20

// Neither line compiles unless what is taken may be stored, and what may be stored has a slot.
const (
	_ = uint(MaxStoredBytes - storage.MaxPictureBytes)
	_ = uint(MaxSlotPages*PageBytes - HeaderBytes - MaxStoredBytes)
)

// A region has about as many pages as all regions of its class before it, within these bounds: a small store stays
// small, and 4 MiB are few enough to write when a large one needs more.
const (
	minRegionPages = 16
	MaxRegionPages = 1024
)

// Class is an index into ClassPages.
type Class int

// ClassFor returns the class of slots that a new picture of size bytes takes. A picture that is stored already may lie in a larger slot:
// its size is that of its region.
func ClassFor(size int) Class {
	pages := int64(HeaderBytes+size+PageBytes-1) / PageBytes
	for c, p := range ClassPages {
		if pages <= p {
			return Class(c)
		}
	}
	panic(fmt.Sprintf("a picture of %d bytes passed the limit", size))
}

// Region is a run of slots of one size: a row of the table, on-disk format. The size of a slot is that of its region.
type Region struct {
	First, SlotPages, Slots int64
}

// End is the page behind the region.
func (r Region) End() int64 { return r.First + r.SlotPages*r.Slots }

// Class returns the class of the region's slots.
func (r Region) Class() (Class, bool) {
	for c, pages := range ClassPages {
		if pages == r.SlotPages {
			return Class(c), true
		}
	}
	return 0, false
}

// Begins reports whether a slot of the region begins at a page.
func (r Region) Begins(page int64) bool {
	return page >= r.First && page < r.End() && (page-r.First)%r.SlotPages == 0
}

// Holds reports whether a slot of the region is large enough for a picture.
func (r Region) Holds(size int64) bool {
	return size >= 1 && HeaderBytes+size <= r.SlotPages*PageBytes
}

// Check returns an error when the region cannot follow one that ends at this page.
func (r Region) Check(end int64) error {
	if r.First < max(1, end) || r.SlotPages < 1 || r.SlotPages > MaxSlotPages || r.Slots < 1 || r.Slots > 1<<20 {
		return fmt.Errorf("%w: a region of %d slots of %d pages at page %d, behind page %d; restore the directory from a backup",
			storage.ErrDamaged, r.Slots, r.SlotPages, r.First, end)
	}
	return nil
}
