package powercut

import (
	"iter"
	"maps"
	"slices"
)

// kind is the kind of an event.
type kind int

const (
	mark kind = iota
	write
	truncate
	punch
	create
	remove
	makeHome
	syncFile
	syncNames
	syncHome
	lie
	failed // a sync
)

// event is one thing that happened.
type event struct {
	kind   kind
	name   string
	inode  int   // -1 for the directory
	off    int64 // of a write or a hole; the new size of a truncation; the seed of a failed sync
	data   []byte
	n      int64 // length of a hole
	covers int   // a sync covers the events before this one
	mark   any
}

// Trace is a list of all that happened to a disk, in order.
type Trace struct {
	start  state
	events []event
}

// Len returns the number of operations. There is a place to cut the power before each and one after the last.
func (t *Trace) Len() int { return len(t.events) }

// state is the state of a disk at one moment.
type state struct {
	inodes  map[int]*inode
	names   map[string]int // durable
	home    bool           // the directory's own name is durable
	changes []change       // of names, not durable
}

type inode struct {
	durable []byte
	shared  bool // others look at durable: it is not to be changed in place
	changes []change
}

// change is something that is not durable: a write, truncation or hole, or one of names: a creation, a removal, the making of
// the directory.
type change struct {
	event
	at int // place in the trace
}

func (s *state) clone() state {
	c := state{inodes: make(map[int]*inode, len(s.inodes)), names: maps.Clone(s.names), home: s.home, changes: slices.Clone(s.changes)}
	for i, n := range s.inodes {
		n.shared = true
		c.inodes[i] = &inode{durable: n.durable, shared: true, changes: slices.Clone(n.changes)}
	}
	return c
}

// disk returns one that goes on from s in a directory that shows what an engine sees.
func (s *state) disk(dir string) *Disk {
	d := &Disk{dir: dir, start: s.clone(), inodes: maps.Clone(s.names), home: s.home, lies: map[string]bool{}}
	for i := range s.inodes {
		d.next = max(d.next, i+1)
	}
	for _, c := range s.changes {
		switch c.kind {
		case create:
			d.inodes[c.name] = c.inode
		case remove:
			delete(d.inodes, c.name)
		case makeHome:
			d.home = true
		}
	}
	// In the new trace all of this lies before the beginning.
	for _, n := range d.start.inodes {
		for i := range n.changes {
			n.changes[i].at = -1
		}
	}
	for i := range d.start.changes {
		d.start.changes[i].at = -1
	}
	return d
}

func (s *state) apply(at int, e event) {
	switch e.kind {
	case write, truncate, punch:
		n := s.inodes[e.inode]
		n.changes = append(n.changes, change{e, at})
	case create:
		s.inodes[e.inode] = &inode{}
		s.changes = append(s.changes, change{e, at})
	case remove, makeHome:
		s.changes = append(s.changes, change{e, at})
	case syncFile, failed:
		n := s.inodes[e.inode]
		if n == nil {
			return // a directory, whose names stay as they are
		}
		covered := 0
		for covered < len(n.changes) && n.changes[covered].at < e.covers {
			covered++
		}
		if covered > 0 {
			if n.shared {
				n.durable, n.shared = slices.Clone(n.durable), false
			}
			var parts []Part
			if e.kind == failed {
				outcome := Random(uint64(e.off))
				for i, c := range n.changes[:covered] {
					parts = append(parts, outcome.Part(i, describe(e.name, c)))
				}
			}
			n.durable = settle(n.durable, n.changes[:covered], parts)
			n.changes = slices.Clone(n.changes[covered:])
		}
	case syncNames, syncHome:
		s.changes = slices.DeleteFunc(slices.Clone(s.changes), func(c change) bool {
			if c.at >= e.covers || (c.kind == makeHome) != (e.kind == syncHome) {
				return false
			}
			s.rename(c)
			return true
		})
	}
}

// rename makes a change of a name durable.
func (s *state) rename(c change) {
	switch c.kind {
	case create:
		s.names[c.name] = c.inode
	case remove:
		if s.names[c.name] == c.inode {
			delete(s.names, c.name)
		}
	case makeHome:
		s.home = true
	}
}

// Cuts goes through all places of the trace. A cut is valid until the next one.
func (t *Trace) Cuts() iter.Seq[*Cut] {
	return func(yield func(*Cut) bool) {
		c := &Cut{state: t.start.clone()}
		for at := 0; ; at++ {
			c.At, c.BeforeSync, c.Last, c.listed = at, at == len(t.events), at == len(t.events), false
			if at < len(t.events) {
				k := t.events[at].kind
				c.BeforeSync = k == syncFile || k == syncNames || k == syncHome || k == failed
			}
			if !yield(c) || at == len(t.events) {
				return
			}
			e := t.events[at]
			if e.kind == mark {
				c.Marks = append(c.Marks, e.mark)
			}
			c.state.apply(at, e)
		}
	}
}

// Cut is a loss of power at one place of a trace.
type Cut struct {
	// At counts the operations before it.
	At int
	// BeforeSync: the next operation is a sync, or there is none. Of the places since the last sync this one has the most changes that are not durable.
	BeforeSync bool
	// Last: there is no next operation.
	Last bool
	// Marks are those before it.
	Marks []any

	state  state
	list   []pending // see pending
	listed bool
}

// Resume puts the files as the engine sees them at this place into dir, which must not exist, and returns a disk that goes on from
// here: the process was killed, the power stayed on. Changes that were not durable are still not durable.
func (c *Cut) Resume(dir string) (*Disk, error) {
	image := c.Image(Outcome{"all", func(int, Change) Part { return Whole }})
	if err := image.Write(dir); err != nil {
		return nil, err
	}
	return c.state.disk(dir), nil
}

// Wrote reports whether a file was written to, from one operation on.
func (t *Trace) Wrote(name string, from int) bool { return t.did(write, name, from) }

// Punched reports whether a hole was made in a file, from one operation on.
func (t *Trace) Punched(name string, from int) bool { return t.did(punch, name, from) }

// Truncated reports whether the size of a file was set, from one operation on.
func (t *Trace) Truncated(name string, from int) bool { return t.did(truncate, name, from) }

func (t *Trace) did(what kind, name string, from int) bool {
	return slices.ContainsFunc(t.events[from:], func(e event) bool { return e.kind == what && e.name == name })
}
