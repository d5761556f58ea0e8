package storage

import (
	"errors"
	"time"
)

// ErrReceiptNotFound: no finished erasure has that receipt.
var ErrReceiptNotFound = errors.New("receipt not found")

// Receipt is the proof of one erasure, for people.
type Receipt struct {
	// ID is the receipt's id, in lower-case hexadecimal: that of the generation that was erased.
	ID   string
	User UserKey
	// Organization is the one in which the user was when the erasure began. Of an erasure by an earlier version it is the one in which the
	// user is now.
	Organization string
	Time         time.Time // when the erasure began, in UTC with whole microseconds
	Reason       int64     // see ReasonRemoved and those behind it
	// By is the caller whose change erased. It is zero for an erasure by an earlier version, for what the engine itself gave up, and once
	// the trail of that time was removed for its age.
	By Origin
}

// ReceiptQuery chooses the receipts of a list.
type ReceiptQuery struct {
	// User lists those of one user, registered or not; zero = all. Both parts are given, or neither.
	User UserKey
	// Organization lists those of one organisation; "" = all.
	Organization string
	// Since and Until bound the time of the receipts: Since itself is in the list, Until is not; zero = no bound.
	Since, Until time.Time
	// After is the Next of the page before; "" = from the newest.
	After string
}

// Valid reports whether a Store takes the query. After is decided by the engine.
func (q ReceiptQuery) Valid() bool {
	return validTexts(q.Organization) && (q.User == (UserKey{}) || q.User.Valid())
}

// Admits reports whether the query lists a receipt.
func (q ReceiptQuery) Admits(r Receipt) bool {
	return (q.User == (UserKey{}) || q.User == r.User) && (q.Organization == "" || q.Organization == r.Organization) &&
		!r.Time.Before(q.Since) && (q.Until.IsZero() || r.Time.Before(q.Until))
}

// ReceiptPage is a part of a list.
type ReceiptPage struct {
	Receipts []Receipt
	// Next is the After of the next page, "" at the end of the list. It is opaque: engines choose it, and refuse with ErrInvalid what they
	// have not chosen.
	Next string
}
