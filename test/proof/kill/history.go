package main

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// none stands for a user without a picture among the numbers of pictures.
const none = -1

// never is the end of what has no answer: it may take effect at any time until the server is dead.
const never = math.MaxInt64

// clock orders the beginnings and ends of all calls of all callers.
type clock struct{ atomic.Int64 }

func (c *clock) tick() int64 { return c.Add(1) }

// write is an upload or a delete: what it makes of the user's picture, and when.
type write struct {
	picture    int // none for a delete
	begin, end int64
}

// history is what happened to one user since everything about that user was certain. Its calls may overlap.
type history struct {
	mu     sync.Mutex
	writes []write
}

// settle begins a new history with what the user certainly has.
func (h *history) settle(picture int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writes = append(h.writes[:0], write{picture: picture})
}

// begin notes a call of which nothing is known yet and returns what to tell the others with.
func (h *history) begin(picture int, at int64) (call int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writes = append(h.writes, write{picture, at, never})
	return len(h.writes) - 1
}

// acknowledged notes that the call was answered: from then on it has taken effect.
func (h *history) acknowledged(call int, at int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writes[call].end = at
}

// refused notes that the call was turned away for good: it has no effect, ever.
func (h *history) refused(call int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writes[call].begin = never
}

// may returns the pictures that a read between the two moments may see. A write counts unless it began after the look had
// ended, or an acknowledged one that began after it had ended was over before the look began.
func (h *history) may(begin, end int64) (pictures []int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	latest := int64(-1) // the last beginning of a write that was over by then
	for _, w := range h.writes {
		if w.end < begin {
			latest = max(latest, w.begin)
		}
	}
	for _, w := range h.writes {
		if w.begin <= end && w.end >= latest && !slices.Contains(pictures, w.picture) {
			pictures = append(pictures, w.picture)
		}
	}
	return pictures
}

// certain returns the one thing that the user has, if nothing else is possible and no call is on its way.
func (h *history) certain(at int64) (picture int, ok bool) {
	h.mu.Lock()
	quiet := !slices.ContainsFunc(h.writes, func(w write) bool { return w.begin != never && w.end == never })
	h.mu.Unlock()
	if may := h.may(at, at); quiet && len(may) == 1 {
		return may[0], true
	}
	return none, false
}

// alone reports whether no other write was on its way while this acknowledged one was.
func (h *history) alone(call int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	own := h.writes[call]
	for i, w := range h.writes {
		if i != call && w.begin < own.end && w.end > own.begin {
			return false
		}
	}
	return true
}

// Kinds of violations.
const (
	undone  = "a delete or replacement is undone"
	lost    = "an upload is lost"
	revived = "an ended user is back"
	damaged = "a picture is damaged"
	remains = "bytes are left of a picture that is gone"
	receipt = "a receipt is wrong"
	answer  = "an answer is wrong"
	unready = "the server does not recover"
	unclean = "metadata and bytes do not agree"
)

// judge tells what is wrong about seeing this picture between two moments, "" when nothing is.
func (h *history) judge(seen int, begin, end int64) (kind string, may []int) {
	may = h.may(begin, end)
	switch {
	case slices.Contains(may, seen):
		return "", may
	case seen == none:
		return lost, may
	}
	return undone, may
}
