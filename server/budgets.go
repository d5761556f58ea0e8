package server

import (
	"runtime"
	"time"
)

const (
	// readBytes bounds the pictures in memory for readers with a token, and again for those without one, who so never crowd out
	// the others.
	readBytes = 32 << 20
	// leastRead is what a small picture counts as.
	leastRead = 16 << 10
	// readTurns bounds the pictures that are being read from the store, for readers with a token and again for those without one.
	readTurns = 32
	// readPatience is how long a read waits for others of its own caller or address, and for its turn.
	readPatience = time.Second
)

// pictureBudgets are the budgets that pictures on their way in and out share.
type pictureBudgets struct {
	arriving *keyedSemaphore // bytes of uploads, by caller
	uploads  *keyedSemaphore // uploads that are worked on, by caller
	decoding *keyedSemaphore // memory for pictures that are being decoded and encoded, by caller

	known     readBudget // of readers with a token, by caller
	strangers readBudget // of readers without one, by address
}

// readBudget is the budget that reads share.
type readBudget struct {
	bytes *keyedSemaphore
	turns *keyedSemaphore // at the store
	// resizing bounds the pictures that are made smaller at once. Each takes picture.ResizeBytes at most, and a processor. One caller, or
	// address, gets half, and waits as long for it as uploads do.
	resizing *keyedSemaphore
}

// newPictureBudgets returns budgets for a number of uploads that are worked on at once, each of which has at most uploadBytes as it
// arrives and takes at most memory bytes.
func newPictureBudgets(uploads, uploadBytes, memory int) pictureBudgets {
	reads := func() readBudget {
		resizes := max(2, runtime.GOMAXPROCS(0))
		return readBudget{bytes: newSemaphore(readBytes, readPatience), turns: newSemaphore(readTurns, readPatience),
			resizing: newSemaphoreWithShare(resizes, resizes/2, uploadPatience)}
	}
	decoding := newSemaphoreWithShare(2*memory, memory, uploadPatience)
	decoding.fifo = true
	return pictureBudgets{
		arriving:  newSemaphore(max(maxArriving, 8*uploadBytes), uploadPatience),
		uploads:   newSemaphore(uploads, uploadPatience),
		decoding:  decoding,
		known:     reads(),
		strangers: reads(),
	}
}

// stats returns the state of every budget.
func (r *pictureBudgets) stats() map[string]SemaphoreStats {
	return map[string]SemaphoreStats{
		"upload_bytes": r.arriving.stats(), "upload_turns": r.uploads.stats(), "upload_memory": r.decoding.stats(),
		"read_bytes": r.known.bytes.stats(), "read_turns": r.known.turns.stats(), "resize_turns": r.known.resizing.stats(),
		"public_read_bytes": r.strangers.bytes.stats(), "public_read_turns": r.strangers.turns.stats(), "public_resize_turns": r.strangers.resizing.stats(),
	}
}
