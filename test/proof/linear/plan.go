package main

import (
	"math/rand/v2"
	"time"

	"example.org/avatard/test/client"
)

const (
	clients = 8
	people  = 8
	// streak is after how many of its own calls a client turns to the next user. All do so at about the same time, so
	// that most calls of a time are of one user and overlap.
	streak = 20
)

// step is one call of a client's plan.
type step struct {
	kind   kind
	person int
	// own: the user's own call, not the manager's or the public's.
	own     bool
	form    client.Form // of a delete or an erasure
	picture int         // of an upload
	// tag picks one of the user's entity tags for a read, the newest being 0; none for a read that names no tag.
	tag int
	// size is that of a read, 0 for the picture as it is stored.
	size int
	// patience is after how long the client leaves; 0 when it waits for the answer.
	patience time.Duration
}

// sizes are those that clients ask for: one that most pictures have to be made smaller for, and one that half of them are smaller than.
var sizes = []int{16, 128}

// plan is what one client will do, decided by a seed alone. How far it comes is not.
type plan struct {
	random   *rand.Rand
	forms    []client.Form // of deletes
	pictures []int         // not used yet
	leaves   int           // how often the client may still leave
	steps    int
}

const (
	maxPatience = 3 * time.Millisecond
	maxLeaves   = 1 // of each client, in a history
	// eraseEvery and readmitEvery are of how many calls about one is an erasure, or a readmission if the user has ended, else a read.
	eraseEvery, readmitEvery = 60, 8
)

// newPlan deals every clients-th picture of count to this client.
func newPlan(seed uint64, client, count int, forms []client.Form) *plan {
	p := &plan{forms: forms, leaves: maxLeaves, random: rand.New(rand.NewPCG(seed, uint64(client)))}
	for picture := people + client; picture < count; picture += clients {
		p.pictures = append(p.pictures, picture)
	}
	p.random.Shuffle(len(p.pictures), func(i, j int) { p.pictures[i], p.pictures[j] = p.pictures[j], p.pictures[i] })
	return p
}

func (p *plan) next() step {
	s := step{kind: read, person: p.random.IntN(people), own: p.random.IntN(2) == 0, picture: none, tag: none,
		form: p.forms[p.random.IntN(len(p.forms))]}
	if p.random.IntN(3) > 0 {
		s.person = p.steps / streak % people
	}
	p.steps++
	switch n := p.random.IntN(10); {
	case p.random.IntN(eraseEvery) == 0:
		s.kind, s.own = erase, false
	case p.random.IntN(readmitEvery) == 0:
		s.kind, s.own = readmit, false
	case n < 3 && len(p.pictures) > 0:
		s.kind, s.picture = upload, p.pictures[0]
		p.pictures = p.pictures[1:]
	case n < 6:
		s.kind = remove
	case n < 8:
		s.tag = max(0, p.random.IntN(6)-3) // the newest one most times
	}
	if s.kind == read && p.random.IntN(2) == 0 {
		s.size = sizes[p.random.IntN(len(sizes))]
	}
	if s.kind != read && s.kind != readmit && p.leaves > 0 && p.random.IntN(30) == 0 {
		p.leaves--
		s.patience = 1 + time.Duration(p.random.Int64N(int64(maxPatience)))
	}
	return s
}
