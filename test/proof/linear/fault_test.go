package main

import (
	"reflect"
	"testing"
)

// All calls of a history are dealt to the times between its faults, everything is killed at the end of each round and of the history, and
// histories go through all victims and replicas.
func TestFaults(t *testing.T) {
	victims, killed := map[victim]int{}, map[int]int{}
	for seed := range uint64(50) {
		list, reached := faults(seed, 1000, 11), 0
		for i, f := range list {
			if f.calls < reached+20 {
				t.Errorf("seed %d: %d calls before a fault", seed, f.calls-reached)
			}
			reached = f.calls
			if ends := i == 3 || i == 7 || i == 10; (f.victim == everything) != ends {
				t.Errorf("seed %d: fault %d is of victim %d", seed, i, f.victim)
			}
			victims[f.victim]++
			killed[f.which]++
		}
		if reached != 1000 || len(list) != 11 || !reflect.DeepEqual(list, faults(seed, 1000, 11)) {
			t.Errorf("seed %d: %v", seed, list)
		}
	}
	if len(victims) != 4 || len(killed) != replicas || victims[oneReplica] < victims[theDatabase] {
		t.Errorf("victims %v, replicas %v", victims, killed)
	}
}
