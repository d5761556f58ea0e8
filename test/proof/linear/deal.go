package main

import "math/rand/v2"

// dealer deals the calls of a history to the times between its kills.
type dealer struct {
	random  *rand.Rand
	calls   int
	kills   int // to come
	reached int // calls that are dealt
}

// next returns how long the history is at the next kill, at least. At the last one it has all its calls.
func (d *dealer) next() int {
	share := (d.calls - d.reached) / d.kills
	if d.kills > 1 {
		share -= d.random.IntN(1 + share/2)
	}
	d.kills--
	d.reached += share
	return d.reached
}
