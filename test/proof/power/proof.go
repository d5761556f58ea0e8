package main

import (
	"context"
	"fmt"
	"hash/maphash"
	"path/filepath"

	"avatard/storage/powercut"
	"avatard/storage/storagetest"
)

// proof checks what cuts leave against what was promised before them.
type proof struct {
	pattern *storagetest.Pattern
	users   int
	look    *looker
	prints  map[picture]uint64
	sights  map[uint64]*sight // by image, within one trace

	// What was done.
	cuts, images, starts int
	violations           []string
	keep                 string // where the first image goes that breaks a promise
}

// newProof returns a proof that works in a directory of its own.
func newProof(scratch string, pattern *storagetest.Pattern, users int) *proof {
	return &proof{pattern: pattern, users: users, prints: map[picture]uint64{}, sights: map[uint64]*sight{},
		look: &looker{dir: filepath.Join(scratch, "image"), users: users, search: newSearcher(pattern), prints: maphash.MakeSeed(), every: 1}}
}

// forget drops the images that were seen.
func (p *proof) forget() { clear(p.sights) }

// fingerprint returns that of a picture.
func (p *proof) fingerprint(pic picture) uint64 {
	h, ok := p.prints[pic]
	if !ok {
		h = p.look.fingerprint(p.pattern.Picture(pic.number, pic.size))
		p.prints[pic] = h
	}
	return h
}

// outcome is one image and what came of it.
type outcome struct {
	image powercut.Image
	sight *sight
	start *powercut.Trace // what the start of the engine did; nil when the image had been seen before
	good  bool
}

// check looks at what a fate leaves at a cut. An image that was seen before is judged again, by what was promised at this
// place.
func (p *proof) check(ctx context.Context, cut *powercut.Cut, b book, fate powercut.Fate) (o outcome, err error) {
	o.image = cut.Image(fate)
	hash := o.image.Hash()
	p.images++
	var seen bool
	if o.sight, seen = p.sights[hash]; !seen {
		p.starts++
		p.look.twice = p.starts%p.look.every == 0
		var disk *powercut.Disk
		if o.sight, disk, err = p.look.look(ctx, o.image); err != nil {
			return o, err
		}
		o.start = disk.Trace()
		p.sights[hash] = o.sight
	}
	broken := p.judge(b, o.sight)
	o.good = len(broken) == 0
	if !o.good && p.keep != "" {
		if err := o.image.Write(p.keep); err != nil {
			return o, err
		}
		p.keep = ""
	}
	for _, text := range broken {
		p.violations = append(p.violations, fmt.Sprintf("cut before operation %d, %s: %s", cut.At, fate.Name, text))
	}
	return o, nil
}

// enumerate cuts a trace at every place with the fates that are returned for it, and calls each, if it is there, for every
// image.
func (p *proof) enumerate(ctx context.Context, t *powercut.Trace, b book, fates func(*powercut.Cut) []powercut.Fate,
	each func(book, outcome) error) error {
	noted := 0
	for cut := range t.Cuts() {
		b.note(cut.Marks[noted:])
		noted = len(cut.Marks)
		all := fates(cut)
		p.cuts += min(1, len(all))
		for _, fate := range all {
			o, err := p.check(ctx, cut, b, fate)
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
