package main

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.org/avatard/storage/powercut"
	"example.org/avatard/storage/storagetest"
)

// scratchDir returns a directory that lies in memory where the system has such a place: nothing here needs a real disk,
// and thousands of small directories are made.
func scratchDir(t *testing.T) string {
	if dir, err := os.MkdirTemp("/dev/shm", "avatard-powercut-"); err == nil { //nolint:usetesting // it cannot choose the place
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		return dir
	}
	return t.TempDir()
}

// rest chooses those scenarios that take long, which are a step of CI, in place of the others.
var rest = flag.Bool("rest", false, "run the scenarios that take long, and not the others")

// The power is cut at every place of every scenario.
func TestEveryCut(t *testing.T) {
	for _, st := range scenarios {
		if st.long != *rest {
			continue
		}
		t.Run(st.name, func(t *testing.T) {
			t.Parallel()
			s, err := newScenario(t.Context(), scratchDir(t))
			if err != nil {
				t.Fatal(err)
			}
			s.look.every = 8
			if err := st.run(s, 16); err != nil {
				t.Fatal(err)
			}
			t.Logf("%d cuts, %d images, %d of them different", s.cuts, s.images, s.starts)
			for i, text := range s.violations {
				if i == 10 {
					t.Errorf("%d violations in all", len(s.violations))
					break
				}
				t.Error(text)
			}
			if s.starts < 30 {
				t.Errorf("only %d different images: the files are not watched", s.starts)
			}
		})
	}
}

// Under load nothing is found, and there was something to find.
func TestLoad(t *testing.T) {
	l := newLoad(scratchDir(t), 1)
	l.calls = 100
	if err := l.run(t.Context(), 30); err != nil {
		t.Fatal(err)
	}
	for _, text := range l.violations {
		t.Error(text)
	}
	if f := l.figures; f.uploads == 0 || f.removals == 0 || f.open == 0 || f.changes == 0 {
		t.Errorf("nothing was at stake: %+v", f)
	}
}

// TestControl runs the load on disks that lie: on them the engine cannot keep its promises, and within fifty cuts that has
// to be seen. A proof that sees nothing here is blind.
func TestControl(t *testing.T) {
	for _, tt := range []struct{ lie, see string }{
		{"pictures.slab", "whose removal was acknowledged"},
		{"avatard.db-wal", "which was answered"},
	} {
		t.Run(tt.lie, func(t *testing.T) {
			l := newLoad(scratchDir(t), 1)
			l.calls, l.lies = 100, []string{tt.lie}
			for cuts := 10; cuts <= 50; cuts += 10 {
				if err := l.run(t.Context(), cuts); err != nil {
					t.Fatal(err)
				}
				i := slices.IndexFunc(l.violations, func(text string) bool { return strings.Contains(text, tt.see) })
				if i >= 0 {
					t.Logf("%d cuts: %s", l.cuts, l.violations[i])
					return
				}
			}
			t.Errorf("blind: %d cuts, %d violations, none of them with %q", l.cuts, len(l.violations), tt.see)
		})
	}
}

// A start that could not finish a removal has told nobody that the picture is gone: what its user has stays open.
func TestNothingIsSeenWhileErasuresAreLeft(t *testing.T) {
	for _, tt := range []struct {
		name string
		left bool // the erasure fails at the start, too, by itself
		want int  // users who are seen
	}{{"left", true, 0}, {"done", false, 1}} {
		t.Run(tt.name, func(t *testing.T) {
			dir, pattern, b := filepath.Join(scratchDir(t), "data"), storagetest.NewPattern(1), expectedState{}
			start := func(fails bool) (*recorder, *powercut.Disk) {
				disk, err := powercut.New(dir)
				if err != nil {
					t.Fatal(err)
				}
				disk.Fail(func(name string) (uint64, bool) {
					once := fails && name == "pictures.slab"
					fails = fails && !once
					return 1, once
				})
				r, err := openRecorded(t.Context(), dir, disk, pattern)
				if err != nil {
					t.Fatal(err)
				}
				return r, disk
			}
			end := func(r *recorder, disk *powercut.Disk) {
				_ = r.store.Close() // it may tell of the erasure
				for cut := range disk.Trace().Cuts() {
					if cut.Last {
						b.note(cut.Marks)
					}
				}
			}
			do := func(r *recorder, c change) {
				if err := r.do(t.Context(), c); err != nil {
					t.Fatal(err)
				}
			}

			r, disk := start(false)
			do(r, change{id: 1, number: 1, size: 300})
			end(r, disk)
			r, disk = start(false)
			disk.Fail(func(name string) (uint64, bool) { return 1, name == "pictures.slab" })
			do(r, change{id: 2})
			end(r, disk)
			if len(b[0].open) != 1 {
				t.Fatalf("%d changes are open, want the removal", len(b[0].open))
			}

			r, disk = start(tt.left)
			if err := r.see(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			end(r, disk)
			if seen := 1 - len(b[0].open); seen != tt.want {
				t.Errorf("%d users were seen, want %d", seen, tt.want)
			}
		})
	}
}
