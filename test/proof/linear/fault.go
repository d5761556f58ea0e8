package main

import (
	"math/rand/v2"
	"time"
)

// victim is what a fault kills.
type victim int

// The victims. Everything is all replicas and both servers, after which nothing is under way any more.
const (
	oneReplica victim = iota
	theDatabase
	theGateway
	everything
)

// fault says what is killed of a cluster, and when.
type fault struct {
	victim victim
	which  int // replica
	// calls is how long the history is by then, at least, and delay how long after that the kill comes.
	calls int
	delay time.Duration
	// down is how long a database or an S3 server stays away.
	down time.Duration
}

const (
	// roundFaults is how many faults a round has. The last one kills everything, and ends all changes without an answer.
	roundFaults = 4
	maxDown     = 300 * time.Millisecond
	// maxFaultDelay is longer than that of a single server, as changes are.
	maxFaultDelay = 50 * time.Millisecond
)

// faults deals the calls of a history to the times between kills, in rounds. The history ends with a round.
func faults(seed uint64, calls, kills int) []fault {
	random := rand.New(rand.NewPCG(seed, 0x6661756c74))
	list := make([]fault, kills)
	dealt := dealer{random: random, calls: calls, kills: kills}
	for i := range list {
		list[i] = fault{calls: dealt.next(), delay: time.Duration(random.Int64N(int64(maxFaultDelay))), which: random.IntN(replicas),
			down: time.Duration(random.Int64N(int64(maxDown)))}
		switch n := random.IntN(6); {
		case (i+1)%roundFaults == 0 || i == len(list)-1:
			list[i].victim = everything
		case n == 0:
			list[i].victim = theDatabase
		case n == 1:
			list[i].victim = theGateway
		}
	}
	return list
}
