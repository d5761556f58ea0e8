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

// lateUploadLimit is the same for an upload whose caller has left a server that goes on running: before its first step it may wait until the
// picture has arrived and is converted, and on a busy machine the server may notice late that nobody waits any more.
const lateUploadLimit = 15 * time.Second

// history is what one user may have, by what their clients were told.
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

// unanswered notes a change without an answer that may take effect for as long as limit.
func (h *history) unanswered(picture int, now time.Time, limit time.Duration) {
	h.possible(picture)
	h.late = append(h.late, lateChange{picture, now.Add(limit)})
}

// possible notes a change that was answered with an error which leaves open whether it is done, or one beside another.
func (h *history) possible(picture int) {
	if !slices.Contains(h.may, picture) {
		h.may = append(h.may, picture)
	}
}

// allows reports whether the user may have the picture.
func (h *history) allows(picture int) bool { return slices.Contains(h.may, picture) }

// has reports whether the user has that picture and cannot have another one.
func (h *history) has(picture int) bool { return len(h.may) == 1 && h.may[0] == picture }

// uploadMayFollow reports whether an upload without an answer may take effect after the change that was acknowledged last.
func (h *history) uploadMayFollow() bool {
	return slices.ContainsFunc(h.late, func(l lateChange) bool { return l.picture != none })
}

// told notes the sequence of an acknowledged change.
func (h *history) told(sequence uint64) { h.sequence = max(h.sequence, sequence) }
