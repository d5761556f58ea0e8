package slab

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// The lowest free slot is given away first, whatever was given back meanwhile, and all counts are right.
func TestLowest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var s Slots
	const c, regions = Class(3), 9
	first, pages := int64(1), ClassPages[c]
	for i := range int64(regions) {
		if err := s.Add(Region{First: first, SlotPages: pages, Slots: 60 + 3*i}, true); err != nil {
			t.Fatal(err)
		}
		first = s.End + i%2*5 // regions need not touch
	}
	var all, free []int64
	for _, reg := range s.regions {
		for slot := reg.First; slot < reg.End(); slot += pages {
			all = append(all, slot)
		}
	}
	free = slices.Clone(all)
	for step := range 20_000 {
		switch n := r.IntN(7); {
		case n < 2 && len(free) < len(all):
			slot := all[r.IntN(len(all))]
			s.Give(slot, n == 0)
			if i, there := slices.BinarySearch(free, slot); !there {
				free = slices.Insert(free, i, slot)
			}
		case len(free) > 1:
			slot, _, ok := s.Take(c)
			if !ok || slot != free[0] {
				t.Fatalf("step %d: took %d, %v; want %d", step, slot, ok, free[0])
			}
			free = free[1:]
		}
		if cl := &s.classes[c]; cl.free != int64(len(free)) || s.UsedPages != int64(len(all)-len(free))*pages {
			t.Fatalf("step %d: %d free and %d pages in use, want %d and %d", step, cl.free, s.UsedPages, len(free), int64(len(all)-len(free))*pages)
		}
	}
	for _, want := range free {
		if slot, _, ok := s.Take(c); !ok || slot != want {
			t.Fatalf("took %d, %v; want %d", slot, ok, want)
		}
	}
	if slot, _, ok := s.Take(c); ok {
		t.Errorf("took %d out of none", slot)
	}
	if s.WholePages != 0 {
		t.Errorf("%d pages of free slots have blocks, and none is free", s.WholePages)
	}
}

// Pages where no slot begins belong to no slot.
func TestSlotAt(t *testing.T) {
	var s Slots
	for _, r := range []Region{{1, 2, 8}, {17, 3, 5}, {40, 1, 16}} {
		if err := s.Add(r, true); err != nil {
			t.Fatal(err)
		}
	}
	for page, want := range map[int64]int64{0: 0, 1: 2, 2: 0, 15: 2, 16: 0, 17: 3, 18: 0, 29: 3, 32: 0, 39: 0, 40: 1, 55: 1, 56: 0} {
		got := int64(0)
		if r := s.At(page); r != nil {
			got = r.SlotPages
		}
		if got != want {
			t.Errorf("at(%d) has slots of %d pages, want %d", page, got, want)
		}
	}
}
