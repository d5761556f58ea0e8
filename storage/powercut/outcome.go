package powercut

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
)

// SectorBytes is the unit that a disk writes whole or not at all.
const SectorBytes = 512

// PageBytes is the unit that an operating system writes at once, as a rule.
const PageBytes = 4096

// Change is something that was not durable when the power was cut.
type Change struct {
	// File is its name; the changed name itself for a change of names, "." for the making of the directory.
	File string
	// Names: it is the creation or removal of File, not a change of its content.
	Names bool
	// First and Sectors are the sectors of the file that a write or a hole touches; Sectors is 0 for everything else.
	First, Sectors int64
}

// Part is how much of a change reached the disk. The zero value means nothing.
type Part struct {
	// All of it.
	All bool
	// Sector reports whether a sector of a write or a hole did, unless all did; nil means none.
	Sector func(sector int64) bool
	// Grown: the file got its new size even where the data did not arrive.
	Grown bool
}

// Whole is all of a change.
var Whole = Part{All: true}

func (p Part) keeps(sector int64) bool { return p.All || p.Sector != nil && p.Sector(sector) }

// Outcome decides which part of each change a cut leaves; changes are numbered in the order in which they were made.
type Outcome struct {
	Name string
	Part func(i int, c Change) Part
}

// pending is a change at one place of a trace.
type pending struct {
	Change
	change
}

// pending returns the changes that are not durable, oldest first.
func (c *Cut) pending() []pending {
	if c.listed {
		return c.list
	}
	c.list, c.listed = c.list[:0], true
	names := map[int]string{}
	for name, i := range c.state.names {
		names[i] = name
	}
	for _, n := range c.state.changes {
		p := pending{Change{File: n.name, Names: true}, n}
		if n.kind == makeHome {
			p.File = dataDir
		} else {
			names[n.inode] = n.name
		}
		c.list = append(c.list, p)
	}
	for _, i := range slices.Sorted(maps.Keys(c.state.inodes)) {
		if _, named := names[i]; !named {
			continue // it was removed for good
		}
		for _, w := range c.state.inodes[i].changes {
			c.list = append(c.list, pending{describe(names[i], w), w})
		}
	}
	// Changes of one thing are in order already; those of before the trace have no place in it.
	slices.SortStableFunc(c.list, func(a, b pending) int { return cmp.Compare(a.at, b.at) })
	return c.list
}

// describe returns a change of a file as outcomes see it.
func describe(name string, w change) Change {
	c := Change{File: name}
	if n := max(w.n, int64(len(w.data))); n > 0 {
		c.First = w.off / SectorBytes
		c.Sectors = (w.off+n-1)/SectorBytes - c.First + 1
	}
	return c
}

// Changes returns the changes that are not durable, oldest first.
func (c *Cut) Changes() []Change {
	all := make([]Change, 0, len(c.pending()))
	for _, p := range c.pending() {
		all = append(all, p.Change)
	}
	return all
}

func keepIf(keep bool) Part {
	return Part{All: keep}
}

// Simple are the outcomes without chance: everything arrived, nothing, nothing but sizes, only the newest change, all but
// the newest; and all of one file, or all but it. Names arrive with everything else.
func (c *Cut) Simple() iter.Seq[Outcome] {
	all := c.Changes()
	last := len(all) - 1
	return func(yield func(Outcome) bool) {
		ok := yield(Outcome{"nothing", func(int, Change) Part { return Part{} }}) &&
			yield(Outcome{"everything", func(int, Change) Part { return Whole }}) &&
			yield(Outcome{"sizes and names only", func(_ int, c Change) Part {
				if c.Names {
					return Whole
				}
				return Part{Grown: true}
			}}) &&
			yield(Outcome{"all but names", func(_ int, c Change) Part { return keepIf(!c.Names) }}) &&
			yield(Outcome{"only the newest", func(i int, _ Change) Part { return keepIf(i == last) }}) &&
			yield(Outcome{"all but the newest", func(i int, _ Change) Part { return keepIf(i != last) }})
		if !ok {
			return
		}
		seen := map[string]bool{}
		for _, ch := range all {
			if seen[ch.File] {
				continue
			}
			seen[ch.File] = true
			if !yield(Outcome{"only " + ch.File, func(_ int, c Change) Part { return keepIf(c.Names || c.File == ch.File) }}) ||
				!yield(Outcome{"all but " + ch.File, func(_ int, c Change) Part { return keepIf(c.Names || c.File != ch.File) }}) {
				return
			}
		}
	}
}

// Singly are the outcomes in which each change in turn arrived alone, or is the only one that did not.
func (c *Cut) Singly() iter.Seq[Outcome] {
	n := len(c.Changes())
	return func(yield func(Outcome) bool) {
		for one := range n {
			if !yield(Outcome{fmt.Sprint("only number ", one), func(i int, _ Change) Part { return keepIf(i == one) }}) ||
				!yield(Outcome{fmt.Sprint("all but number ", one), func(i int, _ Change) Part { return keepIf(i != one) }}) {
				return
			}
		}
	}
}

// Torn are the outcomes in which the newest write ends, or begins, at each of its inner boundaries, with all before it
// there: of sectors in a write of up to sixteen, else of pages.
func (c *Cut) Torn() iter.Seq[Outcome] {
	all := c.Changes()
	last := len(all) - 1
	return func(yield func(Outcome) bool) {
		if last < 0 || all[last].Sectors < 2 {
			return
		}
		step := int64(1)
		if all[last].Sectors > 16 {
			step = PageBytes / SectorBytes
		}
		first, end := all[last].First, all[last].First+all[last].Sectors
		for at := first/step*step + step; at < end; at += step {
			for _, tail := range []bool{false, true} {
				if !yield(Outcome{fmt.Sprintf("torn at sector %d, tail %t", at, tail), func(i int, _ Change) Part {
					if i != last {
						return Whole
					}
					return Part{Sector: func(s int64) bool { return (s >= at) == tail }, Grown: tail}
				}}) {
					return
				}
			}
		}
	}
}

// Random is a random outcome that depends on seed alone. Most changes arrive or do not as a whole; the others are torn
// into sectors or pages.
func Random(seed uint64) Outcome {
	base := rand.New(rand.NewPCG(seed, 0))
	likely := base.Float64() // disks that lose little, and much
	return Outcome{fmt.Sprint("seed ", seed), func(i int, c Change) Part {
		r := rand.New(rand.NewPCG(seed, uint64(i)+1))
		arrives := r.Float64() < likely
		if c.Sectors < 2 || r.IntN(3) > 0 {
			p := keepIf(arrives)
			p.Grown = p.Grown || r.IntN(2) == 0
			return p
		}
		unit := int64(1)
		if r.IntN(2) == 0 {
			unit = PageBytes / SectorBytes
		}
		drawn := r.Uint64()
		return Part{Grown: r.IntN(2) == 0, Sector: func(s int64) bool {
			return rand.New(rand.NewPCG(drawn, uint64(s/unit))).Float64() < likely
		}}
	}}
}
