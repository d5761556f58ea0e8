package embedded

import (
	"fmt"
	"testing"
)

// diskFaults are the ways in which one operation on a file, or all from one on, go wrong.
var diskFaults = []struct {
	name    string
	mode    faultMode
	forever bool // until it is taken away
	only    func(name, op string) bool
}{
	{name: "fails before it is done"},
	{name: "fails after it was done", mode: failAfter},
	{name: "half a write is done", mode: failTorn, only: func(_, op string) bool { return op == "write" }},
	{name: "fails from then on", forever: true},
	{name: "the slab fails from then on", forever: true, only: func(name, _ string) bool { return name == slabName }},
	{name: "a read fails", only: func(_, op string) bool { return op == "read" }},
}

// diskScenarios are what the store does meanwhile. least is how many places there are, at least, for a fault of the first
// kind: with fewer the files are not watched.
var diskScenarios = []struct {
	name  string
	least int
	// before makes the store that the scenario begins with; nil for an empty directory.
	before func(*diskScenario)
	run    func(*diskScenario)
}{
	{"upload, replacement, delete", 20, nil, (*diskScenario).lifetime},
	{"registration", 3, nil, (*diskScenario).registration},
	{"move", 3, (*diskScenario).twoOrganizations, (*diskScenario).moves},
	{"ends", 8, (*diskScenario).finished, (*diskScenario).ends},
	{"sweep", 4, (*diskScenario).leaveUndone, (*diskScenario).sweepAgain},
	{"start-up", 10, (*diskScenario).leaveUndone, (*diskScenario).openAgain},
	{"checkpoint", 8, (*diskScenario).finished, (*diskScenario).checkpoints},
	{"reserve", 8, (*diskScenario).finished, (*diskScenario).reserve},
	{"quarantine", 4, (*diskScenario).badPage, (*diskScenario).quarantine},
	{"giving space back", 8, (*diskScenario).withSpace, (*diskScenario).giveBack},
	{"closing", 2, (*diskScenario).finished, (*diskScenario).closeAndOpen},
}

// Every operation on a file goes wrong once, in every way, at every place of all that the store does. No caller gets a success that is not
// true, every other answer says that the store is unavailable, the next try succeeds, and nothing stays behind or stuck. See placesApart.
func TestEveryFault(t *testing.T) {
	for _, scenario := range diskScenarios {
		for i, kind := range diskFaults {
			t.Run(scenario.name+"/"+kind.name, func(t *testing.T) {
				t.Parallel()
				for at := 1; ; at += placesApart() {
					d := &diskScenario{T: t, at: at, dir: t.TempDir(), f: &faults{}}
					if d.open(); scenario.before != nil {
						scenario.before(d)
					}
					d.f.mode, d.f.reads = kind.mode, kind.only != nil && kind.only("", "read")
					seen, reached := 0, false
					d.fault = func(_ int, name, op string) bool {
						if kind.only != nil && !kind.only(name, op) {
							return false
						}
						seen++
						reached = reached || seen == at
						return seen == at || kind.forever && seen > at
					}
					d.f.set(d.fault)
					scenario.run(d)
					d.end()
					if t.Failed() {
						return
					}
					if !reached {
						t.Logf("%d places", seen)
						if i == 0 && seen < scenario.least {
							t.Errorf("only %d places, want %d: the engine's files are not watched", seen, scenario.least)
						}
						return
					}
				}
			})
		}
	}
}

// A disk that hangs at any place and comes back costs callers only time: one who waits gets a true answer, and one who leaves
// finds the change done, or can make it again.
func TestHangingDisk(t *testing.T) {
	for _, leave := range []bool{false, true} {
		for _, scenario := range diskScenarios[:2] {
			t.Run(fmt.Sprintf("%s, callers leave %v", scenario.name, leave), func(t *testing.T) {
				t.Parallel()
				for at, reached := 1, true; reached && !t.Failed(); at++ {
					d := &diskScenario{T: t, at: at, dir: t.TempDir(), leave: leave,
						f: &faults{mode: failHanging, hanging: make(chan struct{}), back: make(chan struct{})}}
					d.open()
					reached = false
					d.f.set(func(call int, _, _ string) bool { reached = reached || call == at; return call == at })
					scenario.run(d)
					d.end()
					if !reached && at <= scenario.least {
						t.Errorf("only %d places, want %d", at-1, scenario.least)
					}
				}
			})
		}
	}
}
