package storage

import (
	"context"
	"errors"
)

// Errors of accounts and organisations that have ended. Compare with errors.Is.
var (
	// ErrUserEnded: the user's account was erased, and only an Origin that Readmits registers them again.
	ErrUserEnded = errors.New("the user's account was erased")
	// ErrOrganizationEnded: the organisation was ended, and only AddOrganization with an Origin that Readmits registers it again.
	ErrOrganizationEnded = errors.New("the organisation was ended")
)

// RegistrationState says whether a user or an organisation is on the record.
type RegistrationState uint8

// The numbers are stored, and stand in files: never reuse one.
const (
	Registered RegistrationState = 0
	// Removed: taken off the record, and registered again by whatever registers anybody.
	Removed RegistrationState = 1
	// Ended: taken off the record for good. A tombstone stays, which refuses every registration that does not readmit.
	Ended RegistrationState = 2
	// Ending is the state of an organisation that takes no new users while those that it has are erased.
	Ending RegistrationState = 3
)

// On reports whether a user or an organisation of that state is registered.
func (s RegistrationState) On() bool { return s == Registered || s == Ending }

// Refuses reports whether the state refuses registrations that do not readmit.
func (s RegistrationState) Refuses() bool { return s == Ended || s == Ending }

// Eraser ends accounts and organisations. What was ended does not come back by an upload, an import or a directory: only a change whose
// Origin Readmits lifts the end.
type Eraser interface {
	// EraseUser erases the user's picture as Remove does and then ends the user, which counts as one change more. A tombstone stays: id,
	// organisation, the dates of the record, sequence and newest receipt. When it returns nil, no upload that began before becomes the
	// user's picture, and until AddUser with an Origin that Readmits every upload and registration is refused with ErrUserEnded, or
	// ErrOrganizationEnded where that is true as well; Remove, Get, Stat and MoveUser answer ErrUserNotFound.
	//
	// Erasing an ended user again changes nothing and returns the details and the receipt of the tombstone, if its organisation is the one
	// asked for, else ErrUserNotFound; the condition is not decided then. A user who was taken off the record by an earlier version, without
	// a tombstone, is ErrUserNotFound like one who was never registered.
	//
	// After ErrUnavailable the picture may be erased and the user still be registered; the same call again resumes. Sequence and receipts of
	// a user who is readmitted go on; generations of before do not come back.
	EraseUser(ctx context.Context, rm Removal) (Result, error)

	// EndOrganization makes it durable that an organisation is to go: from then on AddUser, MoveUser into it and uploads that register refuse
	// new users with ErrOrganizationEnded, and so does AddOrganization. Its users stay as they are, for EraseUser one by one; once the
	// last one has gone, RemoveOrganization takes the organisation off the record, and it stays ended. For an organisation that is
	// ending or has ended it changes nothing; ended is false then. ErrOrganizationNotFound for one that is not on record and has not
	// ended.
	EndOrganization(ctx context.Context, org string, by Origin) (ended bool, err error)

	// OrganizationState returns the state of an organisation; Removed for one that was never registered.
	OrganizationState(ctx context.Context, org string) (RegistrationState, error)
}
