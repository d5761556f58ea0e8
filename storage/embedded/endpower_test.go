package embedded

import (
	"path/filepath"
	"testing"

	"example.org/avatard/storage/powercut"
)

// The power is cut at places all over a run that ends a user and readmits the user, with what was not synced kept,
// lost or torn.
func TestPowerCutDuringEnds(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	disk, err := powercut.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Config{Dir: dir, WrapFile: func(name string, f File) File { return disk.Wrap(name, f) }})
	if err != nil {
		t.Fatal(err)
	}
	onCommitter(s, s.space.small)
	if err := runEnds(t.Context(), s, func() { disk.Mark(true) }); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	checkOutcomes(t, disk, 4, checkEnds)
}
