package storage

// Record is one of an export: StoreRecord first, then IssuerRecord, IssuerMoveRecord, OrganizationRecord and UserRecord, each user with
// the PictureRecord or VoidRecord that it announces behind it, then ReceiptRecord and AuditRecord, EndRecord last. Numbers of users,
// issuers and receipts are valid inside one export only: between exports users are compared by issuer and id, receipts by generation.
//
// Times are microseconds since 1970.
type Record interface{ record() }

// Limits of a record. An engine keeps within them, else it could not be exported.
const (
	MinTime  = -1 << 56 // some two thousand years around 1970
	MaxTime  = 1 << 56
	MaxCount = 1 << 62
)

// StoreRecord is the first record.
type StoreRecord struct {
	ID           [16]byte
	ReceiptsOnly bool
	Began        int64 // time
	// Receipts is the newest receipt when the export began: pictures named by later ones may be in it.
	Receipts int64
	// LastUser is the largest number of a user when the export began, for showing progress.
	LastUser int64
	// Since and SinceTime are set when the export goes on from another one, else 0: that one, or those it goes on from, has the receipts
	// up to Since, of all erasures up to SinceTime.
	Since, SinceTime int64
}

// IssuerRecord gives an issuer a number.
type IssuerRecord struct {
	Number int64
	URL    string
}

// IssuerMoveRecord records that the users of one issuer were given to another. An export has all moves that there ever were, in their
// order, before the first user.
type IssuerMoveRecord struct{ From, To string }

// OrganizationRecord is an organisation. A later record of the same id replaces it.
type OrganizationRecord struct {
	ID      string
	Created int64
	State   RegistrationState
}

// PictureState says whether a user's picture is in the export.
type PictureState int64

// The numbers are in files: never reuse one.
const (
	PictureNone    PictureState = 0 // there was none
	PictureFollows PictureState = 1
	// PictureLost: there was a picture, and it could not be read or was left out, see ExportTotals.
	PictureLost PictureState = 2
)

// UserRecord is a user's record. A later record of the same number replaces it, and its picture.
type UserRecord struct {
	Number, Issuer   int64
	ID, Organization string
	Created, Changed int64
	Sequence         int64
	Picture          PictureState
	// State is never Ending. A user who registers again goes on with this record.
	State RegistrationState
}

// PictureRecord is the picture of the user before it. Data is valid until the next record.
type PictureRecord struct {
	Generation [16]byte
	Format     Format
	Data       []byte
}

// VoidRecord stands in the place of a picture that was erased after it was written.
type VoidRecord struct{}

// ReceiptRecord is the proof of an erasure. They come in the order of their numbers.
type ReceiptRecord struct {
	Number, User int64
	Generation   [16]byte
	Time         int64
	Reason       int64 // see the reasons below
	// Organization, Caller, CallerOrganization and Request are as in Receipt; "" where nothing is known.
	Organization, Caller, CallerOrganization, Request string
}

// Why a picture was erased. The numbers are stored: never reuse one.
const (
	ReasonRemoved   = 1
	ReasonReplaced  = 2
	ReasonAbandoned = 3 // an upload that was never acknowledged
	ReasonLost      = 4 // a picture that a repair found missing; of earlier versions also one that had been promised to be erased
)

// AuditRecord is one of the audit trail: a change, or a call that was turned away, whose Result is the reason. The two have numbers
// of their own.
type AuditRecord struct {
	Number, Time                                                              int64
	Action, Result, Caller, CallerOrganization, Organization, Target, Request string
	Dropped                                                                   int64
	Refusal                                                                   bool
}

// AuditDone is the result of every change.
const AuditDone = "done"

// EndRecord closes an export.
type EndRecord struct {
	// Ended is the moment up to which every erasure has its receipt in the export, or in those it goes on from.
	Ended  int64
	Counts RecordCounts
	Totals ExportTotals
	// Horizon: receipts of earlier erasures may have been removed because of their age, 0 when none were.
	Horizon int64
	// Newest is the number of the last receipt of this export, or of the one it goes on from, and Generation the picture that it is of;
	// 0 for none.
	Newest     int64
	Generation [16]byte
}

// RecordCounts are the numbers of records. A void counts as a picture.
type RecordCounts struct {
	Issuers, Organizations, Users, Pictures, Receipts, Audit, Refusals int64
}

// Count adds a record.
func (c *RecordCounts) Count(record Record) {
	switch r := record.(type) {
	case IssuerRecord:
		c.Issuers++
	case OrganizationRecord:
		c.Organizations++
	case UserRecord:
		c.Users++
	case PictureRecord, VoidRecord:
		c.Pictures++
	case ReceiptRecord:
		c.Receipts++
	case AuditRecord:
		if r.Refusal {
			c.Refusals++
		} else {
			c.Audit++
		}
	}
}

func (StoreRecord) record()        {}
func (IssuerRecord) record()       {}
func (IssuerMoveRecord) record()   {}
func (OrganizationRecord) record() {}
func (UserRecord) record()         {}
func (PictureRecord) record()      {}
func (VoidRecord) record()         {}
func (ReceiptRecord) record()      {}
func (AuditRecord) record()        {}
func (EndRecord) record()          {}
