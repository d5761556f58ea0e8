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
	free  [len(slotPages)]lowest
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
	for slot := r.first; slot < r.end(); slot += r.slotPages {
		if !owned(slot) {
			s.free[c].push(slot)
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

// take hands out the lowest free slot. What comes together lies together then, and neighbours are written in half the time.
func (s *slots) take(c class) (slot int64, ok bool) {
	if len(s.free[c]) == 0 {
		return 0, false
	}
	return s.free[c].pop(), true
}

// give takes a slot back.
func (s *slots) give(c class, slot int64) { s.free[c].push(slot) }

// lowest is a heap whose first number is the lowest. [container/heap] would make each number an object of its own.
type lowest []int64

func (h *lowest) push(n int64) {
	*h = append(*h, n)
	a := *h
	for i := len(a) - 1; i > 0 && a[(i-1)/2] > a[i]; i = (i - 1) / 2 {
		a[i], a[(i-1)/2] = a[(i-1)/2], a[i]
	}
}

// remove takes out the number at i.
func (h *lowest) remove(i int) {
	a := *h
	for ; i > 0; i = (i - 1) / 2 {
		a[i] = a[(i-1)/2]
	}
	h.pop()
}

// pop takes out the lowest number.
func (h *lowest) pop() int64 {
	a := *h
	first, last := a[0], len(a)-1
	a[0] = a[last]
	a = a[:last]
	*h = a
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			return first
		}
		if child+1 < last && a[child+1] < a[child] {
			child++
		}
		if a[i] <= a[child] {
			return first
		}
		a[i], a[child] = a[child], a[i]
		i = child
	}
}
