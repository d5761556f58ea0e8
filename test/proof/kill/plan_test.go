package main

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func testPlan(seed uint64, randomly int) *plan {
	return &plan{random: rand.New(rand.NewPCG(seed, 0)), failpoints: failpoints(), randomly: randomly, changes: 50, passes: 9}
}

// The seed decides everything; a round has every failpoint once.
func TestPlan(t *testing.T) {
	p, again, other := testPlan(1, 20), testPlan(1, 20), testPlan(2, 20)
	differs := false
	for range 3 {
		seen := make(map[string]int)
		outside, starting, stopping := 0, 0, 0
		for range len(failpoints()) + 20 {
			k := p.next()
			if k != again.next() {
				t.Fatalf("%v: another plan of the same seed has something else", k)
			}
			differs = differs || k != other.next()
			if k.failpoint == "" {
				outside++
				switch {
				case k.starting:
					starting++
				case k.changes < 1:
					t.Errorf("%v: never killed", k)
				case k.stopping:
					stopping++
				}
				continue
			}
			seen[k.failpoint]++
			if k.pass < 1 || (whereIs(k.failpoint) == undoneStart) != (k.leaver != "") {
				t.Errorf("%v after %q", k, k.leaver)
			}
		}
		for _, name := range failpoints() {
			if seen[name] != 1 {
				t.Errorf("a round kills at %s %d times", name, seen[name])
			}
		}
		if outside != 20 || starting == 0 || stopping == 0 {
			t.Errorf("%d kills from outside, %d of them while starting, %d while stopping", outside, starting, stopping)
		}
	}
	if !differs {
		t.Error("two seeds have one plan")
	}
}

// What leaves something undone is a failpoint under load, and the names of all failpoints tell how to get there.
func TestWhereIs(t *testing.T) {
	count := make(map[where]int)
	for _, name := range failpoints() {
		count[whereIs(name)]++
	}
	for place := underLoad; place <= orgStart; place++ {
		if count[place] == 0 {
			t.Errorf("no failpoint is %d", place)
		}
	}
	for _, name := range leavers {
		if !slices.Contains(failpoints(), name) || whereIs(name) != underLoad {
			t.Errorf("%s is no failpoint under load", name)
		}
	}
}
