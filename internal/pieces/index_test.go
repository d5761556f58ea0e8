package pieces

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// No picture is taken for another one, whatever the two have in common, also at odd places: tables of codes look alike.
func TestSearchBlamesNoOther(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	draw := func(head []byte) []byte {
		b := make([]byte, 2000)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		copy(b, head)
		return b
	}
	one := draw(nil)
	head := draw(nil)[:4*BlockBytes]
	copy(head[BlockBytes+1:], one[10*BlockBytes:][:40])
	two, three := draw(head), draw(head)
	pictures := []Picture{{Upload: draw(nil), Stored: one}, {Upload: draw(nil), Stored: two}, {Upload: draw(nil), Stored: three}}
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, two, 0o600); err != nil {
		t.Fatal(err)
	}
	pieces, err := NewIndex(pictures).Search(filepath.Dir(name))
	if err != nil || len(pieces) != 1 || pieces[0].Number != 1 {
		t.Errorf("in the second picture is found %v, %v, want only itself", pieces, err)
	}
}
