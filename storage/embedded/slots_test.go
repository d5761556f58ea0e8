package embedded

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// The lowest free slot is given away first, whatever was given back and claimed meanwhile.
func TestLowest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var s slots
	var free []int64
	for step := range 20_000 {
		switch n := r.IntN(5); {
		case n < 2 || len(free) == 0:
			slot := r.Int64N(1_000_000) + 1
			s.give(3, slot)
			free = append(free, slot)
			slices.Sort(free)
		case n == 2:
			i := r.IntN(len(free))
			if !s.claim(3, free[i]) {
				t.Fatalf("step %d: %d is not free", step, free[i])
			}
			free = slices.Delete(free, i, i+1)
		default:
			slot, ok := s.take(3)
			if !ok || slot != free[0] {
				t.Fatalf("step %d: took %d, %v; want %d", step, slot, ok, free[0])
			}
			free = free[1:]
		}
	}
	for _, want := range free {
		if slot, ok := s.take(3); !ok || slot != want {
			t.Fatalf("took %d, %v; want %d", slot, ok, want)
		}
	}
	if slot, ok := s.take(3); ok {
		t.Errorf("took %d out of none", slot)
	}
	if s.claim(3, 1) {
		t.Error("claimed a slot out of none")
	}
}
