// Package storage says what avatard needs from a place that keeps avatars, and above all what it means there to
// delete one.
//
// It holds the contract: interfaces, types and errors. There is one interface for each kind of user:
//
//	server ──────────────► Store    what a call needs                    storage.go, erase.go, list.go, receipt.go, prover.go, audit.go, condition.go
//	commands, the server ─► Keeper  check, export, statistics            place.go, check.go, stats.go
//	commands ─────────────► Place   open, migrate, inspect, import       place.go, export.go, import.go, record.go
//
// What a Place opens is an [Engine], which is a Store and a Keeper. Engines live in folders of their own; package storagetest proves
// the contract on any of them:
//
//	storage ◄─┬─ storage/embedded (SQLite + slab)
//	          ├─ storage/backup: records as bytes, in files and streams; it imports no engine, and no engine imports it
//	          └─ storage/storagetest ◄─ storage/storagetest/memory: an engine for tests
//
// HTTP, tokens and permissions do not occur here: callers have been identified and permitted before (package authz), and pictures have
// been decoded and encoded anew (package server/picture).
package storage

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"example.org/avatard/internal/ids"
)

// Limits of what a Store takes. An engine refuses what is over them.
const (
	// MaxPictureBytes bounds one stored picture.
	MaxPictureBytes = 1 << 20
	// MaxIDBytes bounds every text of a record: issuers, callers, and ids, of which the longest (package ids) takes as many bytes.
	MaxIDBytes = ids.MaxRunes * utf8.UTFMax
)

// Errors of a Store. Compare with errors.Is: engines wrap them with the operation and the key. A context's own
// errors pass through likewise. Everything else is a fault of the engine.
var (
	// ErrUserNotFound: no user of that key is registered.
	ErrUserNotFound = errors.New("user not found")
	// ErrOtherOrganization: the user is registered, but in another organisation than the one asked for.
	ErrOtherOrganization = errors.New("user belongs to another organisation")
	// ErrOrganizationNotFound: no organisation of that id is registered.
	ErrOrganizationNotFound = errors.New("organisation not found")
	// ErrOrganizationInUse: users of that organisation are registered.
	ErrOrganizationInUse = errors.New("organisation has users")
	// ErrIssuerNotFound: no user of that issuer is registered.
	ErrIssuerNotFound = errors.New("no user of this issuer")
	// ErrIssuerInUse: users of that issuer are registered already.
	ErrIssuerInUse = errors.New("the issuer has users already")
	// ErrNoPicture: the user has no picture; it was never set, or it is erased or about to be.
	ErrNoPicture = errors.New("no picture")
	// ErrConditionFailed: the picture is not what the change was bound to, see Condition. Nothing changed.
	ErrConditionFailed = errors.New("precondition failed")
	// ErrUnavailable: the engine cannot do its part now. A change that was begun is finished later; the same call again
	// resumes it.
	ErrUnavailable = errors.New("storage unavailable")
	// ErrInvalid: the request is not one the contract allows (an empty id, a picture over the limit).
	ErrInvalid = errors.New("invalid storage request")
)

// Store keeps users, their pictures and the proof of every erasure.
//
// All methods may be called concurrently, in any number of processes where the engine allows more than one. Reads and changes of one
// user are linearizable, and two changes of one user never run at once. A change that its caller abandoned before it began never
// takes effect after a later change of that user has returned. Changes of different users do not wait for each other.
//
// A method that returns nil has made its effect durable: it survives a crash of the process and a loss of power.
// A change whose context ends first returns the context's error and is then either done or not done; what was begun
// goes on to a final state without its caller. No method keeps a slice it was given after it returned.
type Store interface {
	Eraser
	Lister
	Prover

	// AddOrganization registers an organisation. Registering it again changes nothing; created is false then. ErrOrganizationEnded when it
	// is ending or has ended, unless by.Readmits: then it is registered like any other, and created is true.
	AddOrganization(ctx context.Context, org string, by Origin) (created bool, err error)

	// HasOrganization reports whether org is registered. It is called for every request that names an organisation, so a true comes
	// from memory: where another process has removed the organisation it may be five seconds old. A false is never old.
	HasOrganization(ctx context.Context, org string) (bool, error)

	// AddUser registers a user in an organisation, which it registers too where needed. A user who is
	// registered already stays unchanged; created is false then. ErrOtherOrganization when that user is in another one. ErrUserEnded
	// for an ended user unless by.Readmits; ErrOrganizationEnded when the organisation is ending or has ended, whatever by says.
	AddUser(ctx context.Context, user UserKey, org string, by Origin) (res Result, created bool, err error)

	// MoveUser makes org the organisation of a registered user. Picture and receipts stay as they are; sequence and
	// change date count it as one change of the record. For a user of org it changes nothing; moved is false
	// then. It registers neither users nor organisations: ErrUserNotFound, or ErrOrganizationNotFound when org is not registered, or
	// ErrOrganizationEnded when it is ending.
	MoveUser(ctx context.Context, user UserKey, org string, by Origin) (res Result, moved bool, err error)

	// MoveIssuer gives every user of one issuer to another: the issuer's address has changed. The users keep their ids, records,
	// pictures and receipts. It is one change, all or nothing. From then on no user of the issuer from is registered; doing it
	// again changes nothing, and moved is false then. ErrIssuerNotFound when from has no user, ErrIssuerInUse when to has one: the same
	// id may be two people then. Users of from who have ended have done so as users of to, and those of to stay ended, but for an id that
	// somebody of from is registered with.
	MoveIssuer(ctx context.Context, from, to string, by Origin) (moved bool, err error)

	// Put makes a picture the user's only one. When it returns nil the new picture is durable and the one it
	// replaced is erased as by Remove. ErrUnavailable with a Result means that the new picture is in place and
	// the erasure of the old one is not finished.
	Put(ctx context.Context, up Upload) (Result, error)

	// Remove erases the user's picture. When it returns nil, every generation of a picture that existed when the
	// call began is erased: no file or object of the engine holds a byte of it, and no crash brings it back.
	// With no picture set it changes nothing and returns the details as they are.
	//
	// The first durable step moves the picture to the erasing state, and with it sequence and change date; from
	// then on no read returns it. A failure after it is ErrUnavailable, and the next Remove of the user resumes.
	Remove(ctx context.Context, rm Removal) (Result, error)

	// RemoveOrganization takes an organisation without users off the record; removed is false when it is not on it.
	// ErrOrganizationInUse while a user is registered there. One that was ending has ended then; any other may be registered again, which
	// makes it a new one.
	RemoveOrganization(ctx context.Context, org string, by Origin) (removed bool, err error)

	// Get returns the user's picture, which the caller may keep. It never returns a byte of a picture whose
	// removal returned before Get was called. Without a picture the error is ErrUserNotFound, ErrOtherOrganization or ErrNoPicture.
	Get(ctx context.Context, user UserKey, org string) (Picture, error)

	// Stat returns the user's record and what Get would return, without the bytes, which it does not look at. For a user without a
	// picture the Generation is empty, and there is no error. Else the errors are ErrUserNotFound and ErrOtherOrganization.
	Stat(ctx context.Context, user UserKey, org string) (Info, error)

	// RecordRefusal notes in the audit trail that a call was refused. It returns at once and may drop the note. Any
	// text is taken, and r.Fit() is recorded.
	RecordRefusal(r Refusal)

	// Ready returns nil when the engine can serve. Else the error names every reason, for operators.
	Ready(ctx context.Context) error

	// Close finishes the changes under way and releases the engine. Calls after it return ErrUnavailable.
	Close() error
}

// UserKey names one user: the id that the issuer of the tokens gave, and that issuer.
type UserKey struct {
	Issuer string
	ID     string
}

// Valid reports whether a Store takes the key: an issuer that is a ValidText, and an id that is one by package ids.
func (u UserKey) Valid() bool { return ValidText(u.Issuer) && ids.Valid(u.ID) }

// ValidText reports whether a Store takes a text that need not be an id, such as an issuer: 1 to MaxIDBytes bytes of UTF-8 without
// control characters (Unicode category Cc).
func ValidText(s string) bool {
	return s != "" && len(s) <= MaxIDBytes && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// Details are the state of a user's record. Times are UTC with whole microseconds.
type Details struct {
	// Sequence counts the changes of the record; the registration is number 1.
	Sequence     uint64
	CreationDate time.Time
	ChangeDate   time.Time
	Organization string
}

// Result is the state of a user's record after a change.
type Result struct {
	Details Details
	// Receipt is the id of the user's newest receipt, "" when nothing of this user was ever erased.
	Receipt string
	// Generation is that of the picture which Put has stored, "" after every other change.
	Generation string
}

// Format is the encoding of a picture.
type Format uint8

// The formats a Store keeps. The numbers are stored: never reuse one.
const (
	JPEG Format = 1
	PNG  Format = 2
)

// MediaType returns the media type to serve the format with, "" for an unknown one.
func (f Format) MediaType() string {
	switch f {
	case JPEG:
		return "image/jpeg"
	case PNG:
		return "image/png"
	}
	return ""
}

// Picture is one stored picture.
type Picture struct {
	// Generation is the random id of this upload, in lower-case hexadecimal. It does not depend on the content. Put ignores
	// it.
	Generation string
	Format     Format
	Data       []byte
}

// Info is a user's record and what there is to say of the picture.
type Info struct {
	Details Details
	// Generation is the picture's, "" when there is no picture. Format and Size, in bytes, are zero then.
	Generation string
	Format     Format
	Size       int64
}

// Origin names the caller of a change in the audit trail.
type Origin struct {
	// Caller is the id of the caller, or a word for a part of this program such as "command line".
	Caller string
	// CallerOrganization is the caller's own organisation, "" when unknown.
	CallerOrganization string
	// RequestID joins the record with the log.
	RequestID string
	// Readmits: an administrator registers on purpose, which lifts the end of a user or an organisation. It is not recorded.
	Readmits bool
}

// Valid reports whether a Store takes the origin: each part is empty or a ValidText.
func (o Origin) Valid() bool {
	for _, part := range [...]string{o.Caller, o.CallerOrganization, o.RequestID} {
		if part != "" && !ValidText(part) {
			return false
		}
	}
	return true
}

// Upload is the request of Put.
type Upload struct {
	User         UserKey
	Organization string
	Picture      Picture
	By           Origin
	// Register adds an unknown user, and the organisation, together with the upload's first durable step. An upload
	// that fails later leaves the registration. ErrUserEnded and ErrOrganizationEnded as of AddUser, whatever By says of readmitting. Without
	// it, an ended user is ErrUserEnded in the organisation of the tombstone, and ErrUserNotFound in any other.
	Register bool
	// If is decided with the upload's first durable step; no other change of the user comes between that and the last.
	If Condition
}

// Removal is the request of Remove and EraseUser. The user is looked up inside Organization.
type Removal struct {
	User         UserKey
	Organization string
	// AnyOrganization looks the user up wherever they are on record; Organization need not be an id then and decides
	// nothing. The result has the organisation. It is for people who delete their own picture: they must be able to, even after
	// their organisation changed at the provider.
	AnyOrganization bool
	By              Origin
	// If is decided by HoldsForRemoval.
	If Condition
}

// Refusal is a call that was turned away after its caller was known.
type Refusal struct {
	By           Origin
	Organization string
	// Target is the id of the user that was meant, "" when the call never got so far as to read it.
	Target string
	// Action is the procedure, or method and route.
	Action string
	// Reason is the id or code that the caller was given.
	Reason string
	// Dropped counts the other refusals that this record stands for: later ones like it, and earlier ones that were not recorded.
	Dropped int64
}
