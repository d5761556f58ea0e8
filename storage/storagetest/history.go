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
	// picture is the number of the picture that was put or read. A Stat shows only whether there is one.
	picture int
}

func (c call) String() string {
	return fmt.Sprintf("%s(picture %d) in ticks %d to %d, version %d", c.kind, c.picture, c.start, c.end, c.version)
}

// explain returns the faults of a history of one user, who was registered before it began. There are none when there is
// an order of the calls that agrees with the ticks and in which each call saw the state that the ones before it left
// (linearizability). Sequences make that order cheap to find: a change that returned n made the n-th state of
// the record, or found it.
func explain(calls []call) (faults []string) {
	h := newStates(calls)
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
		h.place(c, low)
	}
	return h.faults
}

// states are those of a user's record in a history.
type states struct {
	made      map[uint64]call // the call that made each, with the earliest beginning of all that returned it
	versionOf map[int]uint64  // of a picture
	empty     []uint64        // the states without a picture, in order
	faults    []string
}

func (h *states) fault(format string, args ...any) {
	h.faults = append(h.faults, fmt.Sprintf(format, args...))
}

// newStates finds the states that the changes of a history made.
func newStates(calls []call) *states {
	h := &states{versionOf: map[int]uint64{},
		made: map[uint64]call{1: {kind: remove, start: math.MinInt64, end: math.MinInt64, version: 1, picture: none}}}
	last := uint64(1)
	for _, c := range calls {
		if c.kind == get || c.kind == look {
			continue
		}
		last = max(last, c.version)
		before, ok := h.made[c.version]
		switch {
		case ok && (c.kind == put || before.kind == put):
			h.fault("two changes made one state: %v; %v", before, c)
		case !ok || c.start < before.start:
			h.made[c.version] = c
		}
		if c.kind == put {
			h.versionOf[c.picture] = c.version
		}
	}
	for v := uint64(1); v <= last; v++ {
		c, ok := h.made[v]
		if !ok {
			h.fault("no change returned version %d of %d", v, last)
			continue
		}
		if c.kind == remove {
			if v > 1 && h.made[v-1].kind == remove {
				h.fault("a removal of nothing counts as a change: %v", c)
			}
			h.empty = append(h.empty, v)
		}
	}
	return h
}

// place finds the state that a call made or saw, which must not be older than low.
func (h *states) place(c *call, low uint64) {
	switch c.kind {
	case get:
		c.version = h.seen(c.picture, low)
		if maker, ok := h.made[c.version]; !ok || maker.start > c.end {
			h.fault("%v saw a state that was not there yet, or no longer, after version %d", *c, low)
			c.version = low // a fault is reported once
			return
		}
	case look:
		maker, ok := h.made[c.version]
		if !ok || maker.start > c.end || (maker.kind == put) != (c.picture != none) {
			h.fault("%v saw a state that was not there yet, or never", *c)
			c.version = low
			return
		}
	}
	if c.version < low || c.kind == put && c.version == low {
		h.fault("%v came after version %d", *c, low)
	}
}

// seen returns the lowest state, not below low where there are several, in which a Get finds this picture.
func (h *states) seen(picture int, low uint64) uint64 {
	if picture != none {
		return h.versionOf[picture]
	}
	if at, _ := slices.BinarySearch(h.empty, low); at < len(h.empty) {
		return h.empty[at]
	}
	return math.MaxUint64
}
