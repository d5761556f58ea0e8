package main

import (
	"os"
	"slices"
	"strings"
	"testing"
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

// The power is cut at every place of every story.
func TestEveryCut(t *testing.T) {
	for _, st := range stories {
		t.Run(st.name, func(t *testing.T) {
			t.Parallel()
			s, err := newStory(t.Context(), scratchDir(t))
			if err != nil {
				t.Fatal(err)
			}
			s.look.every = 8
			if err := st.tell(s, 16); err != nil {
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
