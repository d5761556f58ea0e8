package server

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"
)

func TestTuneRuntime(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer func() {
		runtime.GOMAXPROCS(before)
		untouched = nil
		debug.SetMemoryLimit(math.MaxInt64)
	}()
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		TuneRuntime(func(asked string) string { return map[string]string{"GOMAXPROCS": "7", name: "off"}[asked] })
		if n := runtime.GOMAXPROCS(0); n != before || untouched != nil {
			t.Errorf("with GOMAXPROCS and %s: GOMAXPROCS %d, was %d; a heap floor of %d bytes", name, n, before, len(untouched))
		}
	}
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		t.Errorf("a goal of %d bytes, though somebody knows better", limit)
	}
	TuneRuntime(func(string) string { return "" })
	if limit := debug.SetMemoryLimit(-1); limit != heapGoal {
		t.Errorf("a goal of %d bytes, want %d", limit, heapGoal)
	}
	if n := runtime.GOMAXPROCS(0); n != before+1 || len(untouched) != heapFloor {
		t.Errorf("GOMAXPROCS %d, want %d; a heap floor of %d bytes, want %d", n, before+1, len(untouched), heapFloor)
	}
}

// Allocations below the heap floor cause no collection.
func TestHeapFloor(t *testing.T) {
	defer func() { untouched = nil; debug.SetMemoryLimit(math.MaxInt64) }()
	collections := func() uint32 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		before := m.NumGC
		for range heapFloor / 2 / 1024 {
			sink = make([]byte, 1024)
		}
		runtime.ReadMemStats(&m)
		return m.NumGC - before
	}
	TuneRuntime(func(name string) string { return map[string]string{"GOMAXPROCS": "1"}[name] })
	if n := collections(); n != 0 {
		t.Errorf("%d collections while half the heap floor was allocated, want none", n)
	}
}

var sink []byte
