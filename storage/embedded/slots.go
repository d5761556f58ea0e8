package embedded

import (
	"fmt"

	"avatard/storage"
)

// slotPages are the sizes of slots, in pages, that regions are made with. A picture takes the smallest that holds it and its
// header. The steps waste at most a half, a quarter on average.
//
// This is on-disk format, never edit it: a region has slots of one of these sizes. Larger ones may be appended.
var slotPages = [...]int64{1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, maxSlotPages}

// maxSlotPages is the size of the largest slots: a picture of 1 MiB and its header. It is on-disk format, too.
const maxSlotPages = 257

// maxStoredBytes is the largest picture that may be stored, on-disk format of the metadata and of backups. storage.MaxPictureBytes is what is
// taken now: it may be less, and what was stored before is served all the same.
const maxStoredBytes = 1 << 20

// Neither line compiles unless what is taken may be stored, and what may be stored has a slot.
const (
	_ = uint(maxStoredBytes - storage.MaxPictureBytes)
	_ = uint(maxSlotPages*pageBytes - headerBytes - maxStoredBytes)
)

// A region has about as many pages as all regions of its class before it, within these bounds: a small store stays
// small, and 4 MiB are few enough to write when a large one needs more.
const (
	minRegionPages = 16
	maxRegionPages = 1024
)

// class is an index into slotPages.
type class int

// classFor returns the class of slots that a new picture of size bytes takes. What is stored already lies in slots of whatever
// size its region has.
func classFor(size int) class {
	pages := int64(headerBytes+size+pageBytes-1) / pageBytes
	for c, p := range slotPages {
		if pages <= p {
			return class(c)
		}
	}
	panic(fmt.Sprintf("a picture of %d bytes passed the limit", size))
}

// region is a run of slots of one size: a row of the table, on-disk format. The size of a slot is that of its region.
type region struct {
	first, slotPages, slots int64
}

// end is the page behind the region.
func (r region) end() int64 { return r.first + r.slotPages*r.slots }

// class returns the class of the region's slots.
func (r region) class() (class, bool) {
	for c, pages := range slotPages {
		if pages == r.slotPages {
			return class(c), true
		}
	}
	return 0, false
}

// begins reports whether a slot of the region begins at a page.
func (r region) begins(page int64) bool {
	return page >= r.first && page < r.end() && (page-r.first)%r.slotPages == 0
}

// holds reports whether a slot of the region is large enough for a picture.
func (r region) holds(size int64) bool {
	return size >= 1 && headerBytes+size <= r.slotPages*pageBytes
}

// check returns an error for a region that cannot be behind one that ends at this page.
func (r region) check(end int64) error {
	if r.first < max(1, end) || r.slotPages < 1 || r.slotPages > maxSlotPages || r.slots < 1 || r.slots > 1<<20 {
		return fmt.Errorf("%w: a region of %d slots of %d pages at page %d, behind page %d; restore the directory from a backup",
			storage.ErrDamaged, r.slots, r.slotPages, r.first, end)
	}
	return nil
}
