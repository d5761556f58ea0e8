package embedded

import (
	"fmt"
	"slices"
)

// slots knows which slots are free. Only the committer uses it.
//
// A slot is taken from here before the transaction that makes its owner durable, and comes back
// after the commit that puts the erasure of its content on record, or at once when that first transaction failed. A free slot
// reads as zeros throughout, and they are durable.
//
// Which slots of a region are free is looked up when that is first needed (see learn), so a start does not depend on how many there
// are; from then on it is two bits a slot.
type slots struct {
	regions []*regionSlots // in the slab's order
	classes [len(slotPages)]classSlots
	end     int64 // page behind the last region
	used    int64 // pages in slots that have an owner, as far as the regions are known
	whole   int64 // pages in free slots that may have blocks
}

// regionSlots is a region and what is known of its slots, which are numbered from 0 here.
type regionSlots struct {
	region
	class class
	place int64 // among the regions of its class

	// known tells that free and whole were filled.
	known bool
	free  bitset // may be given away
	whole bitset // those of free that have their blocks, as far as is known; the others are holes in the file
	// unsure: some of whole may be holes, which an earlier process made.
	unsure         bool
	spare, spareIn int64 // how many there are in free, and in whole
}

// classSlots are the slots of one size.
type classSlots struct {
	regions     []*regionSlots
	some        bitset // places of regions with free slots
	wholes      bitset // and of those with whole ones
	learnt      int64  // regions before this place are known
	total       int64  // slots, free or not
	free, whole int64  // slots
}

// add brings in a region behind all others. A fresh one is nobody's and was written with zeros; of any other one it is not known yet which
// slots have an owner.
func (s *slots) add(r region, fresh bool) error {
	c, ok := r.class()
	if !ok {
		return fmt.Errorf("region at page %d has slots of %d pages, which this program does not know", r.first, r.slotPages)
	}
	cl := &s.classes[c]
	known := &regionSlots{region: r, class: c, place: int64(len(cl.regions))}
	s.regions = append(s.regions, known)
	cl.regions = append(cl.regions, known)
	cl.total += r.slots
	s.end = max(s.end, r.end())
	if fresh {
		s.learn(known, nil)
		known.unsure = false
	}
	return nil
}

// learn fills in which slots of a region are free: those whose numbers are not in owned.
func (s *slots) learn(r *regionSlots, owned bitset) {
	words := (r.slots + 63) / 64
	room := make(bitset, 2*words)
	r.free, r.whole = room[:words:words], room[words:]
	r.known, r.unsure = true, true
	s.used += r.slots * r.slotPages
	for n := range r.slots {
		if !owned.has(n) {
			s.put(r, n, true)
		}
	}
	cl := &s.classes[r.class]
	for cl.learnt < int64(len(cl.regions)) && cl.regions[cl.learnt].known {
		cl.learnt++
	}
}

// unknown returns the first region of a class of which it is not known which slots are free, nil when there is none.
func (s *slots) unknown(c class) *regionSlots {
	if cl := &s.classes[c]; cl.learnt < int64(len(cl.regions)) {
		return cl.regions[cl.learnt]
	}
	return nil
}

// at returns the region of which a slot begins at this page, nil when there is none.
func (s *slots) at(slot int64) *regionSlots {
	i, found := slices.BinarySearchFunc(s.regions, slot, func(r *regionSlots, page int64) int {
		switch {
		case r.end() <= page:
			return -1
		case r.first > page:
			return 1
		}
		return 0
	})
	if !found || !s.regions[i].begins(slot) {
		return nil
	}
	return s.regions[i]
}

// next returns the region to grow by when a class has run out.
func (s *slots) next(c class) region {
	pages := slotPages[c]
	n := min(max(s.classes[c].total*pages, minRegionPages), maxRegionPages)
	return region{first: max(s.end, 1), slotPages: pages, slots: max(2, n/pages)}
}

// take hands out the lowest free slot. What comes together lies together then, and neighbours are written in half the time. whole tells
// that all of it has blocks for certain.
func (s *slots) take(c class) (slot int64, whole, ok bool) {
	cl := &s.classes[c]
	if cl.free == 0 {
		return 0, false, false
	}
	r := cl.regions[cl.some.first()]
	n := r.free.first()
	return r.first + n*r.slotPages, s.pull(r, n), true
}

// give takes a slot back. whole tells that it has blocks. Where it is not known yet which slots are free, the look-up will find it.
func (s *slots) give(slot int64, whole bool) {
	if r := s.at(slot); r != nil && r.known {
		s.put(r, (slot-r.first)/r.slotPages, whole)
	}
}

// claim takes a certain slot out of the free ones, if it is among them.
func (s *slots) claim(slot int64) (whole, ok bool) {
	r := s.at(slot)
	if r == nil {
		return false, false
	}
	n := (slot - r.first) / r.slotPages
	if !r.free.has(n) {
		return false, false
	}
	return s.pull(r, n), true
}

// put makes a slot of a region free.
func (s *slots) put(r *regionSlots, n int64, whole bool) {
	if r.free.has(n) {
		return
	}
	cl := &s.classes[r.class]
	r.free.add(n)
	r.spare++
	cl.free++
	cl.some.add(r.place)
	s.used -= r.slotPages
	if whole {
		r.whole.add(n)
		r.spareIn++
		cl.whole++
		cl.wholes.add(r.place)
		s.whole += r.slotPages
	}
}

// pull takes a slot of a region out of the free ones and reports whether it is whole for certain.
func (s *slots) pull(r *regionSlots, n int64) (whole bool) {
	whole = r.whole.has(n) && !r.unsure
	s.hollow(r, n)
	r.free.remove(n)
	r.spare--
	cl := &s.classes[r.class]
	cl.free--
	if r.spare == 0 {
		cl.some.remove(r.place)
	}
	s.used += r.slotPages
	return whole
}

// hollow notes that a free slot is a hole, or on its way to an owner.
func (s *slots) hollow(r *regionSlots, n int64) {
	if !r.whole.has(n) {
		return
	}
	cl := &s.classes[r.class]
	r.whole.remove(n)
	r.spareIn--
	cl.whole--
	s.whole -= r.slotPages
	if r.spareIn == 0 {
		r.unsure = false
		cl.wholes.remove(r.place)
	}
}

// doubt notes of a region that each of its free slots may have blocks.
func (s *slots) doubt(r *regionSlots) {
	for n := range r.slots {
		if r.free.has(n) && !r.whole.has(n) {
			s.pull(r, n)
			s.put(r, n, true)
			r.unsure = true
		}
	}
}

// last returns the region at the end of the slab, nil when there is none.
func (s *slots) last() *regionSlots {
	if len(s.regions) == 0 {
		return nil
	}
	return s.regions[len(s.regions)-1]
}

// drop forgets the last region, all of whose slots are free.
func (s *slots) drop() {
	r := s.last()
	for n := range r.slots {
		s.pull(r, n)
	}
	s.used -= r.slots * r.slotPages
	cl := &s.classes[r.class]
	cl.total -= r.slots
	s.regions = s.regions[:len(s.regions)-1]
	cl.regions = cl.regions[:len(cl.regions)-1]
	cl.learnt = min(cl.learnt, int64(len(cl.regions)))
	s.end = 0
	if before := s.last(); before != nil {
		s.end = before.end()
	}
}

// eachFree calls f for every free slot that is known, in the slab's order.
func (s *slots) eachFree(f func(slot, pages int64) error) error {
	for _, r := range s.regions {
		for n := range r.slots {
			if !r.free.has(n) {
				continue
			}
			if err := f(r.first+n*r.slotPages, r.slotPages); err != nil {
				return err
			}
		}
	}
	return nil
}
