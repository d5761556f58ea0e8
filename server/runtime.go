package server

import (
	"runtime"
	"runtime/debug"
)

// heapFloor is a number of bytes that the garbage collector counts as in use beside those that are. They are never touched, so they take
// no memory themselves, but the heap may grow by as much more between two collections.
const heapFloor = 12 << 20

// heapGoal is how much memory the runtime tries to keep to, in bytes, by collecting more often than when the heap has doubled. More may
// really be in use: a collection takes half of the processors at most.
const heapGoal = 256 << 20

var untouched []byte

// TuneRuntime sets the Go runtime up for a process that does nothing but serve calls on a store with files. getenv is os.Getenv: where
// operators set GOMAXPROCS, GOGC or GOMEMLIMIT, that value stays.
//
// One thread is in a sync most of the time. The scheduler counts it as running until it looks, 20 µs to 10 ms later, and calls would wait
// meanwhile for the other processors. So GOMAXPROCS is one more than by default.
//
// A heap that is collected each time it has doubled is collected thirty times a second where 4 MB are in use and a
// call takes 10 kB. A larger factor would help, but double the memory of uploads, too: with heapFloor it is a constant. Under attack,
// when strangers fill what they may, heapGoal keeps garbage from doubling that.
func TuneRuntime(getenv func(string) string) {
	if getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
	if getenv("GOGC") == "" && getenv("GOMEMLIMIT") == "" {
		untouched = make([]byte, heapFloor)
		debug.SetMemoryLimit(heapGoal)
	}
}
