package embedded

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// checkEmptySlab demands that the slab of a closed store holds zeros only, behind its first page.
func checkEmptySlab(t *testing.T, dir string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, slabName))
	if err != nil {
		t.Fatal(err)
	}
	if i := bytes.IndexFunc(data[pageBytes:], func(r rune) bool { return r != 0 }); i >= 0 {
		t.Errorf("the slab is not empty: byte %d", i+pageBytes)
	}
}

// A slot takes the smallest class that holds the picture and its header.
func TestClassFor(t *testing.T) {
	for _, test := range []struct {
		size  int
		pages int64
	}{
		{1, 1}, {pageBytes - headerBytes, 1}, {pageBytes - headerBytes + 1, 2}, {4 * pageBytes, 6},
		{1 << 20, maxSlotPages},
	} {
		if got := slotPages[classFor(test.size)]; got != test.pages {
			t.Errorf("classFor(%d) has %d pages, want %d", test.size, got, test.pages)
		}
	}
}
