package storagetest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

type kind string

const (
	put    kind = "Put"
	remove kind = "Remove"
	get    kind = "Get"
	look   kind = "Stat"
)

// none is the picture of a user who has none.
const none = -1

// call is one finished call on a user, with the ticks between which it ran.
type call struct {
	kind       kind
	start, end int64
	// version is the sequence that a change or a Stat returned. A Get is given the lowest one that explains it.
	version uint64
	// picture is the number of the picture that was put or read. A Stat tells only whether there is one.
	picture int
}

func (c call) String() string {
	return fmt.Sprintf("%s(picture %d) in ticks %d to %d, version %d", c.kind, c.picture, c.start, c.end, c.version)
}

// explain tells what is wrong with a history of one user, who was registered before it began: nothing when there is
// an order of the calls that agrees with the ticks and in which each call saw what the ones before it left
// (linearizability). Sequences make that order cheap to find: a change that returned n made the n-th state of
// the record, or found it.
func explain(calls []call) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }

	// Which states there were: what made each, and when that began at the earliest.
	made := map[uint64]call{1: {kind: remove, start: math.MinInt64, end: math.MinInt64, version: 1, picture: none}}
	versionOf := map[int]uint64{}
	last := uint64(1)
	for _, c := range calls {
		if c.kind == get || c.kind == look {
			continue
		}
		last = max(last, c.version)
		before, ok := made[c.version]
		switch {
		case ok && (c.kind == put || before.kind == put):
			fault("two changes made one state: %v; %v", before, c)
		case !ok || c.start < before.start:
			made[c.version] = c
		}
		if c.kind == put {
			versionOf[c.picture] = c.version
		}
	}
	var empty []uint64 // the states without a picture, in order
	for v := uint64(1); v <= last; v++ {
		c, ok := made[v]
		if !ok {
			fault("no change returned version %d of %d", v, last)
			continue
		}
		if c.kind == remove {
			if v > 1 && made[v-1].kind == remove {
				fault("a removal of nothing counts as a change: %v", c)
			}
			empty = append(empty, v)
		}
	}

	calls = slices.Clone(calls)
	slices.SortFunc(calls, func(a, b call) int { return cmp.Compare(a.start, b.start) })
	for i := range calls {
		c := &calls[i]
		// What ended before this call began bounds its state from below.
		low := uint64(1)
		for _, earlier := range calls[:i] {
			if earlier.end < c.start {
				low = max(low, earlier.version)
			}
		}
		if c.kind == get {
			if c.picture == none {
				c.version = math.MaxUint64
				if at, _ := slices.BinarySearch(empty, low); at < len(empty) {
					c.version = empty[at]
				}
			} else {
				c.version = versionOf[c.picture]
			}
			if maker, ok := made[c.version]; !ok || maker.start > c.end {
				fault("%v saw a state that was not there yet, or no longer, after version %d", *c, low)
				c.version = low // one fault is told once
				continue
			}
		}
		if c.kind == look {
			maker, ok := made[c.version]
			if !ok || maker.start > c.end || (maker.kind == put) != (c.picture != none) {
				fault("%v saw a state that was not there yet, or never", *c)
				c.version = low
				continue
			}
		}
		if c.version < low || c.kind == put && c.version == low {
			fault("%v came after version %d", *c, low)
		}
	}
	return faults
}
