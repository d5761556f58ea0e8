package storage

import (
	"context"
	"fmt"
)

// Departure says how far the move of a store to another place has come; the zero value that none has begun.
type Departure struct {
	// To is the name of the place that the store moves to.
	To string `json:"to"`
	// Gone: everything is there and was compared, and nothing is served from here any more. What is left here is to be erased.
	Gone bool `json:"gone"`
	// Erased: no picture is left here.
	Erased bool `json:"erased"`
}

// Movable is a place whose store can be moved to another one.
type Movable interface {
	Place
	// Departure returns what is on record of a move. ErrNoStore when there is no store.
	Departure(ctx context.Context) (Departure, error)
	// Depart puts durably on record how far a move has come. From then on Open answers ErrMoved unless OpenOptions.Moving is set. Only the
	// process that has the store open calls it. ErrInUse when another process has it open, too, ErrUnavailable while something that is
	// to be recorded as erased is not. After these two, what was on record before stays. After any other error this may be on record and not
	// durable: Departure tells whether it is, and Depart can be called again.
	Depart(ctx context.Context, d Departure) error
}

// Receiver is a place that can be filled user by user, while the store is served elsewhere.
type Receiver interface {
	Place
	// Arrive begins to fill an empty place with the store of this id, or goes on. Until Arrival.Finish nothing else can open the place. The
	// errors are ErrInUse, ErrStoreExists, ErrHalfRestored and those of the engine.
	Arrive(ctx context.Context, store [16]byte) (Arrival, error)
}

// ArrivingUser is a user with the picture, as they are in the store that is moved.
type ArrivingUser struct {
	User UserKey
	// Record is the user's; its Issuer and Picture count for nothing.
	Record UserRecord
	// Picture is nil for none.
	Picture *PictureRecord
}

// Arrival fills a place with a store that is served elsewhere. Everything may be done again: it makes what is here the same as what
// is there. Methods may be called concurrently, but not two of them for the same user.
type Arrival interface {
	// Take makes users here what they are there, with their pictures, and returns how many were not so yet. With compare it reads
	// each picture that is here already, and replaces it where a byte differs.
	Take(ctx context.Context, users []ArrivingUser, compare bool) (changed int, err error)
	// Follow erases what is here of a user's picture, with all its bytes, and makes the record that of details, unless they are nil; ended
	// makes it the tombstone of a user who was erased there. A user who is not here yet stays so.
	Follow(ctx context.Context, user UserKey, details *Details, ended bool) error
	// Note brings records that are neither of a user nor of a picture, in the order of the export, whose first and last record are among
	// them.
	Note(ctx context.Context, records []Record) error
	// Finish makes a store of what is here, which any process may open from then on.
	Finish(ctx context.Context) error
	// Close ends the work on it. Without Finish it can be gone on with.
	Close() error
}

// Refusal is what Open answers: nil when no move has begun.
func (d Departure) Refusal() error {
	switch {
	case d.To == "":
		return nil
	case d.Gone && d.Erased:
		return fmt.Errorf("%w to %s: serve it from there", ErrMoved, d.To)
	}
	return fmt.Errorf("%w to %s, and that is not finished: run avatard move again", ErrMoved, d.To)
}
