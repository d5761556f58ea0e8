package main

import (
	"slices"
	"time"
)

// none stands for a user without a picture among the numbers of pictures.
const none = -1

// lateLimit is how long a change may still take effect whose caller got no answer: its statement may be on its way to the
// database. One that was answered, with an error too, has taken effect or does so before any later change of the user is acknowledged.
const lateLimit = 3 * time.Second

// history is what one user may have, by what their one client was told.
type history struct {
	may  []int
	late []lateChange
	// sequence is the highest that was told.
	sequence uint64
}

// lateChange is a change without an answer.
type lateChange struct {
	picture int
	until   time.Time
}

// acknowledged notes a change that was answered with success. It was sent at began.
func (h *history) acknowledged(picture int, began time.Time) {
	h.late = slices.DeleteFunc(h.late, func(l lateChange) bool { return !l.until.After(began) })
	h.may = append(h.may[:0], picture)
	for _, l := range h.late {
		h.possible(l.picture)
	}
}

// failed notes a change that was answered with an error which leaves open whether it is done.
func (h *history) failed(picture int) { h.possible(picture) }

// unanswered notes a change without an answer.
func (h *history) unanswered(picture int, now time.Time) {
	h.possible(picture)
	h.late = append(h.late, lateChange{picture, now.Add(lateLimit)})
}

func (h *history) possible(picture int) {
	if !slices.Contains(h.may, picture) {
		h.may = append(h.may, picture)
	}
}

// allows reports whether the user may have the picture.
func (h *history) allows(picture int) bool { return slices.Contains(h.may, picture) }

// told notes the sequence of an acknowledged change, and reports whether it may come after those before.
func (h *history) told(sequence uint64) bool {
	ok := sequence >= h.sequence
	h.sequence = max(h.sequence, sequence)
	return ok
}
