package pieces

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func noise(seed uint64, size int) []byte {
	random := rand.New(rand.NewPCG(seed, 7))
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

// Pieces are found across the borders of what is read at a time, at odd places, at both ends of a file, and behind holes, which have no
// blocks at all.
func TestSearchOfASparseFile(t *testing.T) {
	one, two := Picture{Upload: noise(1, 3000), Stored: noise(2, 3000)}, Picture{Upload: noise(3, 3000), Stored: noise(4, 3000)}
	const far = 40 * chunkBytes
	name := filepath.Join(t.TempDir(), "slab")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	var want []Found
	plant := func(offset, length, start, number int, of []byte, uploaded bool) {
		t.Helper()
		if _, err := file.WriteAt(of[start:start+length], int64(offset)); err != nil {
			t.Fatal(err)
		}
		want = append(want, Found{Piece{File: name, Offset: int64(offset), Length: length, Number: uint32(number), Start: int64(start)}, uploaded})
	}
	plant(0, PieceBytes, 5, 0, one.Stored, false)
	plant(chunkBytes-1, 40, 160, 1, two.Stored, false)
	plant(3*chunkBytes-2000, 3000, 0, 0, one.Stored, false)
	plant(4*chunkBytes-BlockBytes, PieceBytes, 32, 1, two.Upload, true)
	plant(far+1, 2000, 999, 1, two.Stored, false)
	plant(far+chunkBytes, PieceBytes, 77, 0, one.Upload, true)
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := NewIndex([]Picture{one, two}).Search(filepath.Dir(name))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Search (-want +got, error %v):\n%s", err, diff)
	}
}
