package slab

import "testing"

// A slot takes the smallest class that holds the picture and its header.
func TestClassFor(t *testing.T) {
	for _, test := range []struct {
		size  int
		pages int64
	}{
		{1, 1}, {PageBytes - HeaderBytes, 1}, {PageBytes - HeaderBytes + 1, 2}, {4 * PageBytes, 6},
		{1 << 20, MaxSlotPages},
	} {
		if got := ClassPages[ClassFor(test.size)]; got != test.pages {
			t.Errorf("classFor(%d) has %d pages, want %d", test.size, got, test.pages)
		}
	}
}
