package main

import (
	"context"
	"fmt"
	"hash/maphash"
	"path/filepath"

	"example.org/avatard/storage/powercut"
	"example.org/avatard/storage/storagetest"
)

// proof checks what cuts leave against what was promised before them.
type proof struct {
	pattern   *storagetest.Pattern
	users     int
	look      *inspector
	prints    map[picture]uint64
	snapshots map[uint64]*snapshot // by image, within one trace

	// What was done.
	cuts, images, starts int
	violations           []string
	keep                 string // where the first image goes that breaks a promise
}

// newProof returns a proof that works in a directory of its own.
func newProof(scratch string, pattern *storagetest.Pattern, users int) *proof {
	return &proof{pattern: pattern, users: users, prints: map[picture]uint64{}, snapshots: map[uint64]*snapshot{},
		look: &inspector{dir: filepath.Join(scratch, "image"), users: users, search: newSearcher(pattern), prints: maphash.MakeSeed(), every: 1}}
}

// forget drops the images that were seen.
func (p *proof) forget() { clear(p.snapshots) }

// fingerprint returns that of a picture.
func (p *proof) fingerprint(pic picture) uint64 {
	h, ok := p.prints[pic]
	if !ok {
		h = p.look.fingerprint(p.pattern.Picture(pic.number, pic.size))
		p.prints[pic] = h
	}
	return h
}

// result is one image and what came of it.
type result struct {
	image    powercut.Image
	snapshot *snapshot
	start    *powercut.Trace // what the start of the engine did; nil when the image had been seen before
	good     bool
}

// check looks at what an outcome leaves at a cut. An image that was seen before is judged again, by what was promised at this
// place.
func (p *proof) check(ctx context.Context, cut *powercut.Cut, b expectedState, outcome powercut.Outcome) (o result, err error) {
	o.image = cut.Image(outcome)
	hash := o.image.Hash()
	p.images++
	var seen bool
	if o.snapshot, seen = p.snapshots[hash]; !seen {
		p.starts++
		p.look.twice = p.starts%p.look.every == 0
		var disk *powercut.Disk
		if o.snapshot, disk, err = p.look.inspect(ctx, o.image); err != nil {
			return o, err
		}
		o.start = disk.Trace()
		p.snapshots[hash] = o.snapshot
	}
	broken := p.judge(b, o.snapshot)
	o.good = len(broken) == 0
	if !o.good && p.keep != "" {
		if err := o.image.Write(p.keep); err != nil {
			return o, err
		}
		p.keep = ""
	}
	for _, text := range broken {
		p.violations = append(p.violations, fmt.Sprintf("cut before operation %d, %s: %s", cut.At, outcome.Name, text))
	}
	return o, nil
}

// enumerate cuts a trace at every place with the outcomes that are returned for it, and calls each, if it is there, for every
// image.
func (p *proof) enumerate(ctx context.Context, t *powercut.Trace, b expectedState, outcomes func(*powercut.Cut) []powercut.Outcome,
	each func(expectedState, result) error) error {
	noted := 0
	for cut := range t.Cuts() {
		b.note(cut.Marks[noted:])
		noted = len(cut.Marks)
		all := outcomes(cut)
		p.cuts += min(1, len(all))
		for _, outcome := range all {
			o, err := p.check(ctx, cut, b, outcome)
			if err != nil {
				return err
			}
			if each != nil {
				if err := each(b, o); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
