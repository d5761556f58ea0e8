package embedded

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"example.org/avatard/storage/powercut"
)

// The power is cut at places all over a run that removes what is old, with what was not synced kept, lost or torn. What is left is
// sound, no deleted picture is back, every user has a newest receipt, and numbers go on.
func TestPowerCutWhilePruning(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	disk, err := powercut.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	wrap := func(name string, f File) File { return disk.Wrap(name, f) }
	s, err := Open(t.Context(), Config{Dir: dir, Keep: pruneKeep, Now: pruneClock.now, WrapFile: wrap})
	if err != nil {
		t.Fatal(err)
	}
	if err := runPruning(t.Context(), s, func() { disk.Mark(true) }); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	checkOutcomes(t, disk, 5, func(t *testing.T, image string, at any, marks int) {
		// The key was durable before there was a log.
		if err := errors.Join(os.MkdirAll(image, 0o700), os.Link(filepath.Join(dir, keyName), filepath.Join(image, keyName))); err != nil {
			t.Fatal(err)
		}
		checkPruning(t, image, at, marks)
	})
}

// checkOutcomes cuts the power before every so-manyth operation and at the end, and calls check with what is left and how often the disk
// was marked until then.
func checkOutcomes(t *testing.T, disk *powercut.Disk, stride int, check func(t *testing.T, dir string, at any, marks int)) {
	t.Helper()
	seen := map[uint64]bool{}
	image := filepath.Join(t.TempDir(), "image")
	for cut := range disk.Trace().Cuts() {
		if cut.At%stride != 0 && !cut.Last {
			continue
		}
		outcomes := []powercut.Outcome{powercut.Random(uint64(cut.At))}
		for outcome := range cut.Simple() {
			outcomes = append(outcomes, outcome)
		}
		for _, outcome := range outcomes {
			left := cut.Image(outcome)
			if hash := left.Hash(); seen[hash] {
				continue
			} else {
				seen[hash] = true
			}
			if err := left.Write(image); err != nil {
				t.Fatal(err)
			}
			check(t, image, cut.At, len(cut.Marks))
			if t.Failed() {
				t.Fatalf("cut before operation %d, %s", cut.At, outcome.Name)
			}
		}
	}
	t.Logf("%d different outcomes", len(seen))
}
