package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"example.org/avatard/storage/powercut"
)

// figures tell what the cuts of a load met.
type figures struct {
	runs                        int            // of the engine
	uploads, removals           int            // answered with success
	starting, working, stopping int            // cuts meanwhile
	changes                     int            // not durable at the cuts, in all
	most                        int            // and at one
	files                       map[string]int // cuts at which something of that file was not durable
	open                        int            // cuts at which calls had no answer
	took                        time.Duration
}

// hear counts answers.
func (f *figures) hear(marks []any) {
	for _, m := range marks {
		if a, ok := m.(answered); ok {
			if a.number == 0 {
				f.removals++
			} else {
				f.uploads++
			}
		}
	}
}

// meet counts a cut.
func (f *figures) meet(cut *powercut.Cut, b expectedState, during shift) {
	switch {
	case cut.At <= during.begin:
		f.starting++
	case cut.At <= during.end:
		f.working++
	default:
		f.stopping++
	}
	seen := map[string]bool{}
	changes := cut.Changes()
	for _, c := range changes {
		if c.Names {
			seen["names"] = true
		} else {
			seen[c.File] = true
		}
	}
	f.changes += len(changes)
	f.most = max(f.most, len(changes))
	for name := range seen {
		f.files[name]++
	}
	for _, p := range b {
		if len(p.open) > 0 {
			f.open++
			break
		}
	}
}

// print writes what a load has shown.
func (l *load) print(w io.Writer) {
	f := l.figures
	fmt.Fprintf(w, "%d cuts of the power under load, %d outcomes of them (%d different), in %.0f s\n", l.cuts, l.images, l.starts, f.took.Seconds())
	fmt.Fprintf(w, "  %d while the engine started, %d while it worked, %d while it stopped; %d runs with %d uploads and %d removals answered\n",
		f.starting, f.working, f.stopping, f.runs, f.uploads, f.removals)
	fmt.Fprintf(w, "  not durable at a cut: %.1f changes on average, %d at most; of", float64(f.changes)/float64(max(1, l.cuts)), f.most)
	var names []string
	for name := range f.files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(w, " %s at %d,", name, f.files[name])
	}
	fmt.Fprintf(w, " calls without an answer at %d cuts\n", f.open)
}
