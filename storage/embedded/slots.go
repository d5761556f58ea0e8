package embedded

import "fmt"

// slotPages are the sizes of slots, in pages. A picture takes the smallest that holds it and its header. The steps
// waste at most a half, a quarter on average.
var slotPages = [...]int64{1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, maxSlotPages}

// maxSlotPages holds storage.MaxPictureBytes and the header.
const maxSlotPages = 257

// A region has about as many pages as all regions of its class before it, within these bounds: a small store stays
// small, and 4 MiB are few enough to write when a large one needs more.
const (
	minRegionPages = 16
	maxRegionPages = 1024
)

// class is an index into slotPages.
type class int

// classFor returns the class of slots for a picture of size bytes.
func classFor(size int) class {
	pages := int64(headerBytes+size+pageBytes-1) / pageBytes
	for c, p := range slotPages {
		if pages <= p {
			return class(c)
		}
	}
	panic(fmt.Sprintf("a picture of %d bytes passed the limit", size))
}

// region is a run of slots of one size.
type region struct {
	first, slotPages, slots int64
}

// end is the page behind the region.
func (r region) end() int64 { return r.first + r.slotPages*r.slots }

// check returns an error for a region that cannot be behind one that ends at this page.
func (r region) check(end int64) error {
	if r.first < max(1, end) || r.slotPages < 1 || r.slotPages > maxSlotPages || r.slots < 1 || r.slots > 1<<20 {
		return fmt.Errorf("%w: a region of %d slots of %d pages at page %d, behind page %d; restore the directory from a backup",
			ErrDamaged, r.slots, r.slotPages, r.first, end)
	}
	return nil
}

// slots knows which slots are free. Only the committer uses it.
//
// A slot is taken from here before the transaction that makes its owner durable, and comes back
// after the commit that puts the erasure of its content on record, or at once when that first transaction failed.
type slots struct {
	free  [len(slotPages)][]int64
	total [len(slotPages)]int64 // slots of each class, free or not
	end   int64                 // page behind the last region
}

// add brings in a region, except for the slots that owned reports.
func (s *slots) add(r region, owned func(slot int64) bool) error {
	c := -1
	for i, p := range slotPages {
		if p == r.slotPages {
			c = i
		}
	}
	if c < 0 {
		return fmt.Errorf("region at page %d has slots of %d pages, which this program does not know", r.first, r.slotPages)
	}
	// Downwards, so that the lowest slots go first and the file fills from its beginning.
	for slot := r.end() - r.slotPages; slot >= r.first; slot -= r.slotPages {
		if !owned(slot) {
			s.free[c] = append(s.free[c], slot)
		}
	}
	s.total[c] += r.slots
	s.end = max(s.end, r.end())
	return nil
}

// next returns the region to grow by when a class has run out.
func (s *slots) next(c class) region {
	pages := slotPages[c]
	n := min(max(s.total[c]*pages, minRegionPages), maxRegionPages)
	return region{first: max(s.end, 1), slotPages: pages, slots: max(2, n/pages)}
}

// take hands out the slot that was freed last: its pages are likely in memory, and rows of old owners stay few.
func (s *slots) take(c class) (slot int64, ok bool) {
	f := s.free[c]
	if len(f) == 0 {
		return 0, false
	}
	slot = f[len(f)-1]
	s.free[c] = f[:len(f)-1]
	return slot, true
}

// give takes a slot back.
func (s *slots) give(c class, slot int64) { s.free[c] = append(s.free[c], slot) }
