package storage

import (
	"context"
	"io"
	"log/slog"
	"time"
)

// Keeper has what operators need of a store that is open, and commands do for them. None of it holds up callers for long.
type Keeper interface {
	// Check looks for disagreements between metadata and bytes, and among metadata, while the store serves. found is called for each
	// one as soon as it is certain and its repair, if asked for, was tried. An error of found ends the check.
	//
	// An error means that not everything was looked at. The errors are ErrChecking, ErrUnavailable, those of ctx and found, and those
	// of the engine.
	Check(ctx context.Context, o CheckOptions, found func(Finding) error) (CheckSummary, error)

	// Export gives everything as records, while the store serves. An error of to ends it.
	//
	// An export ends at one moment (EndRecord.Ended). No picture that was erased, or was about to be, before that moment comes back when
	// it is imported, and every picture that was there from the beginning to that moment does. Uploads in between may be in it or not.
	// Each user's record is as it was at some moment between beginning and end, and not older than the last erasure of a picture of that
	// user, or than their end. A picture that is erased after to was called with it is still there, together with its receipt.
	//
	// The errors are ErrCannotGoOn, ErrReceiptsGone, ErrUnavailable, those of ctx and to, and those of the engine.
	Export(ctx context.Context, o ExportOptions, to func(Record) error) error

	// Stats returns what the engine has done since it was opened, and how it stands now.
	Stats() Stats

	// ErasuresDone returns nil unless there are erasures that were tried and could not be finished, which are tried again until they
	// are. Calls of their users get ErrUnavailable; that alone does not keep the store from being ready.
	ErasuresDone(ctx context.Context) error

	// RoomForUploads returns nil unless uploads are refused because there is little room.
	RoomForUploads(ctx context.Context) error

	// Issuers lists the issuers that registered users have.
	Issuers() ([]string, error)

	// OtherIssuers returns the issuers on record when the one that is named is not among them, else nil. It does not look at users,
	// so a server can call it at each start.
	OtherIssuers(issuer string) []string
}

// Engine is a store of any kind that is open.
type Engine interface {
	Store
	Keeper
}

// OpenOptions are the options of opening a store.
type OpenOptions struct {
	// Logger takes messages for operators; nil discards them.
	Logger *slog.Logger
	// Now is the clock of change dates; nil means time.Now.
	Now func() time.Time
	// Keep is how long old records are kept; the zero value keeps all of them.
	Keep Retention
	// AsIs refuses a store whose schema is of an earlier version, where other processes may have it open: commands do not change what servers
	// work with. An engine that has the store for itself brings it forward all the same.
	AsIs bool
	// Moving opens a store although it is being moved, or was: the move does.
	Moving bool
}

// Place is where a store is kept, open or not. Making one opens nothing.
type Place interface {
	// Open opens the store, which it makes where there is none, and finishes what an earlier process left undone. The errors are
	// ErrInUse, ErrDamaged, ErrForeign, ErrLink, ErrNewerSchema, ErrHalfRestored, ErrMoved and those of the engine.
	Open(ctx context.Context, o OpenOptions) (Engine, error)

	// Exists returns nil when there is a store, else ErrNoStore. It never makes one.
	Exists(ctx context.Context) error

	// Vacant returns nil when nothing is in the way of Import, else ErrStoreExists.
	Vacant(ctx context.Context) error

	// Schema returns the version of the stored schema and the one that this program works with, and changes nothing. The errors are
	// ErrNoStore and those of Open.
	Schema(ctx context.Context) (version, newest int, err error)

	// Migrate brings the schema to the version of this program, one version at a time, and calls step for each as soon as it is
	// durable. It returns the version that it found. When it fails in between, the versions that step was called with stay. Open does
	// the same. Its errors are those of Schema.
	Migrate(ctx context.Context, step func(version int)) (from int, err error)

	// Inspect is Keeper.Check for a store that no process has open; ErrInUse when one has. Without a repair it changes nothing, and
	// finds what an earlier process left undone. With one, it opens the store, which finishes that as every start does. ErrNoStore
	// when there is no store.
	Inspect(ctx context.Context, o CheckOptions, found func(Finding) error) (CheckSummary, error)

	// Import fills an empty place. Ids of pictures and receipts, details of users and the audit trail stay as they were. A picture that
	// a receipt of any source names is never written. Until Import returns nil the place cannot be opened; a try that fails
	// removes what it wrote, and one that was killed is replaced by the next. The errors are ErrInUse, ErrStoreExists,
	// ErrExportDamaged, ErrOtherStore, ErrGap, those of the sources and those of the engine.
	Import(ctx context.Context, o ImportOptions) (ImportSummary, error)

	// Scratch makes a file without a name that lasts until it is closed, where there is room for an import.
	Scratch() (ScratchFile, error)

	// ControlDir is the directory in which the one process that has the store open listens for commands; "" where any number
	// of processes may have it open.
	ControlDir() string

	// String returns the place's name in messages.
	String() string
}

// ScratchFile is a file that only this process can open.
type ScratchFile interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Name says in messages where the file lies.
	Name() string
}
