package main

import (
	"fmt"
	"maps"
	"slices"

	"example.org/avatard/storage"
)

// change is one call that changes somebody's picture: an upload, or a removal where number is 0.
type change struct {
	id     int // also in the audit trail, as the request's
	user   int
	number uint32 // of the picture in the pattern
	size   int
}

func (c change) String() string {
	if c.number == 0 {
		return fmt.Sprintf("removal %d of user %d", c.id, c.user)
	}
	return fmt.Sprintf("upload %d of user %d (picture %d, %d bytes)", c.id, c.user, c.number, c.size)
}

// What is noted in the trace of a disk while the engine works.
type (
	begun    struct{ change }
	answered struct { // without an error
		change
		result storage.Result
	}
	// unknown is a change of a user whom the engine does not know.
	unknown struct{ change }
	// seen is what a user has after a start of the engine that followed a cut.
	seen struct {
		user     int
		picture  picture
		sequence uint64
	}
)

// picture is what somebody has; its number is 0 when that is nothing.
type picture struct {
	number uint32
	size   int
}

// person is what is known of one user: what the newest answer said, and what was begun after it.
type person struct {
	has      picture
	sequence uint64 // 0 while nobody was told of a registration
	open     []change
	answered []int // ids of changes that were answered
	receipts []string
	vanished bool // the engine did not know somebody whose registration it had answered
}

// expectedState is all that the engine has promised so far.
type expectedState map[int]person

func (b expectedState) clone() expectedState { return maps.Clone(b) }

// note takes in what was noted in a trace. Slices are never changed in place, clones share them.
func (b expectedState) note(marks []any) {
	for _, m := range marks {
		switch m := m.(type) {
		case begun:
			p := b[m.user]
			p.open = append(slices.Clip(p.open), m.change)
			b[m.user] = p
		case answered:
			p := b[m.user]
			if m.number != 0 || len(p.open) == 1 && p.has.number != 0 { // else there was perhaps nothing to remove
				p.answered = append(slices.Clip(p.answered), m.id)
			}
			p.has, p.open = picture{m.number, m.size}, nil
			p.sequence = m.result.Details.Sequence
			if r := m.result.Receipt; r != "" && !slices.Contains(p.receipts, r) {
				p.receipts = append(slices.Clip(p.receipts), r)
			}
			b[m.user] = p
		case unknown:
			p := b[m.user]
			p.vanished = p.vanished || p.sequence > 0
			b[m.user] = p
		case seen:
			p := b[m.user]
			p.has, p.open, p.sequence = m.picture, nil, m.sequence
			b[m.user] = p
		}
	}
}

// may returns what a user may have: what the last answer said, or what any call without an answer was to do.
func (p person) may() []picture {
	all := []picture{p.has}
	for _, c := range p.open {
		all = append(all, picture{c.number, c.size})
	}
	return all
}

// present returns the pictures of which there may be pieces before the engine has been started again.
func (b expectedState) present() map[uint32]bool {
	all := map[uint32]bool{}
	for p := range maps.Values(b) {
		for _, pic := range p.may() {
			all[pic.number] = true
		}
	}
	return all
}
