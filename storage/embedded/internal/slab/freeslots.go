package slab

import (
	"fmt"
	"slices"
)

// Slots keeps track of which slots are free. Only the committer uses it.
//
// A slot is taken from here before the transaction that makes its owner durable, and comes back
// after the commit that puts the erasure of its content on record, or at once when that first transaction failed. A free slot
// reads as zeros throughout, and they are durable.
//
// Which slots of a region are free is looked up when that is first needed (see Learn), so a start does not depend on how many there
// are; from then on it is two bits a slot.
type Slots struct {
	regions    []*RegionSlots // in the slab's order
	classes    [len(ClassPages)]classSlots
	End        int64 // page behind the last region
	UsedPages  int64 // pages in slots that have an owner, as far as the regions are known
	WholePages int64 // pages in free slots that may have blocks
}

// RegionSlots is a region and the state of its slots, which are numbered from 0 here.
type RegionSlots struct {
	Region
	class Class
	place int64 // among the regions of its class

	// Known is set when free and whole are filled.
	Known bool
	free  Bitset // may be given away
	whole Bitset // those of free that have their blocks, as far as is known; the others are holes in the file
	// unsure is set when some of whole may be holes, which an earlier process made.
	unsure         bool
	spare, spareIn int64 // how many there are in free, and in whole
}

// classSlots are the slots of one size.
type classSlots struct {
	regions     []*RegionSlots
	some        Bitset // places of regions with free slots
	wholes      Bitset // and of those with whole ones
	learnt      int64  // regions before this place are known
	total       int64  // slots, free or not
	free, whole int64  // slots
}

// Add adds a region behind all others. All slots of a fresh one are free and were written with zeros; of any other one it is not known
// yet which slots have an owner.
func (s *Slots) Add(r Region, fresh bool) error {
	c, ok := r.Class()
	if !ok {
		return fmt.Errorf("region at page %d has slots of %d pages, which this program does not know", r.First, r.SlotPages)
	}
	cl := &s.classes[c]
	known := &RegionSlots{Region: r, class: c, place: int64(len(cl.regions))}
	s.regions = append(s.regions, known)
	cl.regions = append(cl.regions, known)
	cl.total += r.Slots
	s.End = max(s.End, r.End())
	if fresh {
		s.Learn(known, nil)
		known.unsure = false
	}
	return nil
}

// Learn fills in which slots of a region are free: those whose numbers are not in owned.
func (s *Slots) Learn(r *RegionSlots, owned Bitset) {
	words := (r.Slots + 63) / 64
	room := make(Bitset, 2*words)
	r.free, r.whole = room[:words:words], room[words:]
	r.Known, r.unsure = true, true
	s.UsedPages += r.Slots * r.SlotPages
	for n := range r.Slots {
		if !owned.Has(n) {
			s.put(r, n, true)
		}
	}
	cl := &s.classes[r.class]
	for cl.learnt < int64(len(cl.regions)) && cl.regions[cl.learnt].Known {
		cl.learnt++
	}
}

// Unknown returns the first region of a class of which it is not known which slots are free, nil when there is none.
func (s *Slots) Unknown(c Class) *RegionSlots {
	if cl := &s.classes[c]; cl.learnt < int64(len(cl.regions)) {
		return cl.regions[cl.learnt]
	}
	return nil
}

// At returns the region of which a slot begins at this page, nil when there is none.
func (s *Slots) At(slot int64) *RegionSlots {
	i, found := slices.BinarySearchFunc(s.regions, slot, func(r *RegionSlots, page int64) int {
		switch {
		case r.End() <= page:
			return -1
		case r.First > page:
			return 1
		}
		return 0
	})
	if !found || !s.regions[i].Begins(slot) {
		return nil
	}
	return s.regions[i]
}

// Free returns how many slots of a class are known to be free.
func (s *Slots) Free(c Class) int64 { return s.classes[c].free }

// Count returns how many slots of a class there are, how many are known to be free, and how many of those may have blocks.
func (s *Slots) Count(c Class) (total, free, whole int64) {
	cl := &s.classes[c]
	return cl.total, cl.free, cl.whole
}

// Next returns the region to grow by when a class has run out.
func (s *Slots) Next(c Class) Region {
	pages := ClassPages[c]
	n := min(max(s.classes[c].total*pages, minRegionPages), MaxRegionPages)
	return Region{First: max(s.End, 1), SlotPages: pages, Slots: max(2, n/pages)}
}

// Take takes the lowest free slot. So pictures that are uploaded together lie together, which are written in half the time. whole is set when
// all of the slot certainly has blocks.
func (s *Slots) Take(c Class) (slot int64, whole, ok bool) {
	cl := &s.classes[c]
	if cl.free == 0 {
		return 0, false, false
	}
	r := cl.regions[cl.some.first()]
	n := r.free.first()
	return r.First + n*r.SlotPages, s.pull(r, n), true
}

// Give makes a slot free again; whole says that it has blocks. In a region whose free slots are not known yet it does nothing: Learn finds
// the slot.
func (s *Slots) Give(slot int64, whole bool) {
	if r := s.At(slot); r != nil && r.Known {
		s.put(r, (slot-r.First)/r.SlotPages, whole)
	}
}

// put makes a slot of a region free.
func (s *Slots) put(r *RegionSlots, n int64, whole bool) {
	if r.free.Has(n) {
		return
	}
	cl := &s.classes[r.class]
	r.free.Add(n)
	r.spare++
	cl.free++
	cl.some.Add(r.place)
	s.UsedPages -= r.SlotPages
	if whole {
		r.whole.Add(n)
		r.spareIn++
		cl.whole++
		cl.wholes.Add(r.place)
		s.WholePages += r.SlotPages
	}
}

// pull takes a slot of a region out of the free ones and reports whether it is certainly whole.
func (s *Slots) pull(r *RegionSlots, n int64) (whole bool) {
	whole = r.whole.Has(n) && !r.unsure
	s.Hollow(r, n)
	r.free.remove(n)
	r.spare--
	cl := &s.classes[r.class]
	cl.free--
	if r.spare == 0 {
		cl.some.remove(r.place)
	}
	s.UsedPages += r.SlotPages
	return whole
}

// Hollow notes that a free slot is a hole, or on its way to an owner.
func (s *Slots) Hollow(r *RegionSlots, n int64) {
	if !r.whole.Has(n) {
		return
	}
	cl := &s.classes[r.class]
	r.whole.remove(n)
	r.spareIn--
	cl.whole--
	s.WholePages -= r.SlotPages
	if r.spareIn == 0 {
		r.unsure = false
		cl.wholes.remove(r.place)
	}
}

// Highest returns the highest free slots of a class that may have blocks, as numbers in their region: as many as lie side by side, up to
// a limit.
func (s *Slots) Highest(c Class, most int64) (r *RegionSlots, first, end int64) {
	cl := &s.classes[c]
	r = cl.regions[cl.wholes.last()]
	end = r.whole.last() + 1
	first = end - 1
	for first > 0 && end-first < most && r.whole.Has(first-1) {
		first--
	}
	return r, first, end
}

// Doubt notes of a region that each of its free slots may have blocks.
func (s *Slots) Doubt(r *RegionSlots) {
	for n := range r.Slots {
		if r.free.Has(n) && !r.whole.Has(n) {
			s.pull(r, n)
			s.put(r, n, true)
			r.unsure = true
		}
	}
}

// Last returns the region at the end of the slab, nil when there is none.
func (s *Slots) Last() *RegionSlots {
	if len(s.regions) == 0 {
		return nil
	}
	return s.regions[len(s.regions)-1]
}

// IsEmpty reports whether all slots of the region are known to be free.
func (r *RegionSlots) IsEmpty() bool { return r.Known && r.spare == r.Slots }

// Drop forgets the last region, all of whose slots are free.
func (s *Slots) Drop() {
	r := s.Last()
	for n := range r.Slots {
		s.pull(r, n)
	}
	s.UsedPages -= r.Slots * r.SlotPages
	cl := &s.classes[r.class]
	cl.total -= r.Slots
	s.regions = s.regions[:len(s.regions)-1]
	cl.regions = cl.regions[:len(cl.regions)-1]
	cl.learnt = min(cl.learnt, int64(len(cl.regions)))
	s.End = 0
	if before := s.Last(); before != nil {
		s.End = before.End()
	}
}

// EachFree calls f for every free slot that is known, in the slab's order.
func (s *Slots) EachFree(f func(slot, pages int64) error) error {
	for _, r := range s.regions {
		for n := range r.Slots {
			if !r.free.Has(n) {
				continue
			}
			if err := f(r.First+n*r.SlotPages, r.SlotPages); err != nil {
				return err
			}
		}
	}
	return nil
}
