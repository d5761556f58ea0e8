package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"example.org/avatard/storage/embedded"
)

// where tells how a server is brought to a failpoint.
type where int

const (
	underLoad   where = iota // uploads, replacements and deletes pass it
	freshLoad                // so do the first uploads on an empty data directory
	freshStart               // a start on an empty data directory
	anyStart                 // every start
	undoneStart              // a start after a kill that left something undone
	orgStart                 // a start that registers an organisation
	atStop                   // the end of every server that is asked to stop; under load, it takes thousands of changes
)

// failpoints returns the names of those at which servers are killed: users end under load, and nobody moves.
func failpoints() []string {
	return slices.DeleteFunc(slices.Concat(embedded.Failpoints(), embedded.CommandFailpoints()), func(name string) bool {
		return strings.HasPrefix(name, "move-") || strings.HasPrefix(name, "end-organization-")
	})
}

// whereIs knows the failpoints by the first word of their names; see embedded.Failpoints.
func whereIs(failpoint string) where {
	switch word, _, _ := strings.Cut(failpoint, "-"); {
	case word == "slab" || failpoint == "open-identified":
		return freshStart
	case word == "open":
		return anyStart
	case word == "recover" || word == "sweep" || word == "record":
		return undoneStart
	case word == "register":
		return orgStart
	case word == "grow" || word == "space":
		return freshLoad
	case word == "checkpoint":
		return atStop
	}
	return underLoad
}

// leavers are failpoints at which a killed server leaves something undone.
var leavers = []string{"remove-zero", "remove-zeroed", "activate-row", "activate-zero", "reserve-committed", "reserve-written"}

// kill says when and where a server is killed.
type kill struct {
	// failpoint is where it ends itself, at the pass-th time; "" when it is killed from outside.
	failpoint string
	pass      int
	// Without a failpoint: after so many changes were acknowledged and this time on top.
	changes int
	delay   time.Duration
	// starting means that the delay counts from the start and nothing is asked of the server before.
	starting bool
	// stopping means that the server is asked to stop before, and the delay counts from there.
	stopping bool
	// leaver is where the kill before ends the server, for undoneStart.
	leaver     string
	leaverPass int
}

func (k kill) String() string {
	switch {
	case k.failpoint != "":
		return fmt.Sprintf("at %s, pass %d", k.failpoint, k.pass)
	case k.starting:
		return fmt.Sprintf("%v after the start", k.delay)
	case k.stopping:
		return fmt.Sprintf("%v after it was asked to stop, after %d changes", k.delay, k.changes)
	}
	return fmt.Sprintf("%v after %d changes", k.delay, k.changes)
}

// plan is the order of kills, decided by the seed alone.
type plan struct {
	random     *rand.Rand
	failpoints []string
	randomly   int // kills from outside in each round, 0 for none
	changes    int // at most so many are acknowledged before a kill from outside
	passes     int // at most so often a failpoint under load is passed
	round      []kill
}

// next returns the next kill. A round has every failpoint once, those on an empty directory first, and some kills from
// outside.
func (p *plan) next() kill {
	if len(p.round) == 0 {
		p.fill()
	}
	k := p.round[0]
	p.round = p.round[1:]
	return k
}

const (
	maxDelay    = 20 * time.Millisecond
	maxStarting = 250 * time.Millisecond
)

func (p *plan) fill() {
	var rest []kill
	for _, name := range p.failpoints {
		k := p.at(name)
		if place := whereIs(name); place == freshStart || place == freshLoad {
			p.round = append(p.round, k)
		} else {
			rest = append(rest, k)
		}
	}
	for i := range p.randomly {
		k := kill{changes: 1 + p.random.IntN(p.changes), delay: time.Duration(p.random.Int64N(int64(maxDelay)))}
		switch i % 6 {
		case 4:
			k.stopping = true
		case 5:
			k = kill{starting: true, delay: time.Duration(p.random.Int64N(int64(maxStarting)))}
		}
		rest = append(rest, k)
	}
	p.random.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	p.round = append(p.round, rest...)
}

// at returns a kill at a failpoint.
func (p *plan) at(failpoint string) kill {
	k := kill{failpoint: failpoint, pass: 1}
	switch whereIs(failpoint) {
	case freshLoad:
		k.pass += p.random.IntN(3)
	case undoneStart:
		k.leaver, k.leaverPass = leavers[p.random.IntN(len(leavers))], 1+p.random.IntN(p.passes)
	case underLoad:
		k.pass += p.random.IntN(p.passes)
	case atStop:
		k.changes, k.stopping = 1+p.random.IntN(p.changes), true
	case freshStart, anyStart, orgStart:
	}
	return k
}
