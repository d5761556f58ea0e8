package storagetest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.org/avatard/storage/storagetest"
)

func TestPatternPictures(t *testing.T) {
	p := storagetest.NewPattern(1)
	a := p.Picture(7, 1000)
	if len(a) != 1000 || !bytes.Equal(a, storagetest.NewPattern(1).Picture(7, 1000)) {
		t.Error("one seed and number gave two pictures")
	}
	for name, other := range map[string][]byte{
		"number": p.Picture(8, 1000),
		"seed":   storagetest.NewPattern(2).Picture(7, 1000),
	} {
		if bytes.Contains(other, a[16:32]) {
			t.Errorf("pictures of another %s share a block", name)
		}
	}
	if bytes.Contains(a[16:], a[:16]) {
		t.Error("a picture repeats its first block")
	}
}

// TestSearchEveryAlignment plants pieces of every length at every place of a picture, and of a file.
func TestSearchEveryAlignment(t *testing.T) {
	p := storagetest.NewPattern(3)
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	for start := range 17 {
		for _, length := range []int{1, 16, 31, 32, 33, 48, 61} {
			noise := storagetest.NewPattern(99).Picture(1, 500+start*7)
			piece := p.Picture(5, 300)[start : start+length]
			content := append(append(bytes.Clone(noise), piece...), noise...)
			if err := os.WriteFile(name, content, 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := p.Search(dir)
			var want []storagetest.Piece
			if length >= storagetest.PieceBytes {
				want = []storagetest.Piece{{File: name, Offset: int64(len(noise)), Length: length, Number: 5, Start: int64(start)}}
			}
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Fatalf("Search with %d bytes from %d on (-want +got, error %v):\n%s", length, start, err, diff)
			}
		}
	}
}

func TestSearchLargeFiles(t *testing.T) {
	p := storagetest.NewPattern(4)
	dir := t.TempDir()
	below := filepath.Join(dir, "below")
	if err := os.Mkdir(below, 0o700); err != nil {
		t.Fatal(err)
	}
	// Zeros around, pictures across the borders of what is read at a time, and one that the file cuts off.
	const mib = 1 << 20
	content := make([]byte, 3*mib+100)
	plant := func(number uint32, offset, size int) storagetest.Piece {
		n := copy(content[offset:], p.Picture(number, size))
		return storagetest.Piece{File: filepath.Join(below, "slab"), Offset: int64(offset), Length: n, Number: number}
	}
	want := []storagetest.Piece{
		plant(1, 0, 200), plant(2, 4096+5, 64), plant(3, mib-17, 40), plant(4, 2*mib-40_001, 80_003), plant(5, 3*mib+40, 200),
	}
	if err := os.WriteFile(filepath.Join(below, "slab"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "empty"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := p.Search(dir, t.TempDir())
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Search (-want +got, error %v):\n%s", err, diff)
	}
	if _, err := p.Search(filepath.Join(dir, "missing")); err == nil {
		t.Error("Search of a directory that is not there = nil: it would pass for a clean one")
	}
}

func BenchmarkSearchNoise(b *testing.B) {
	dir := b.TempDir()
	noise := storagetest.NewPattern(1).Picture(1, 16<<20)
	if err := os.WriteFile(filepath.Join(dir, "noise"), noise, 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(noise)))
	p := storagetest.NewPattern(2)
	for b.Loop() {
		if _, err := p.Search(dir); err != nil {
			b.Fatal(err)
		}
	}
}
