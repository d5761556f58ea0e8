package storage

// FindingKind names what is wrong. Programs read these names: none changes its meaning. An engine may have kinds of its own beside
// these.
type FindingKind string

// These are the findings of a check of any engine. docs/operating.md explains each of them and its repair.
const (
	OrphanedBytes     FindingKind = "orphaned-bytes"
	PictureMissing    FindingKind = "picture-missing"
	PictureUnreadable FindingKind = "picture-unreadable"
	UploadUnfinished  FindingKind = "upload-unfinished"
	ErasureUnfinished FindingKind = "erasure-unfinished"
	// MetadataContradicts: records contradict each other, which neither a crash nor a fault of a disk brings about. Detail names them.
	// They are never repaired, because nothing shows which of them is true.
	MetadataContradicts FindingKind = "metadata-contradicts"
	DatabaseDamaged     FindingKind = "database-damaged"
)

// Finding is one place where metadata and bytes, or metadata and metadata, disagree. It holds no byte of a picture.
type Finding struct {
	Kind FindingKind `json:"finding"`
	// Page is where it lies in the file that holds the pictures, in pages of 4 KiB; 0 when the finding is not about a place there. An
	// engine without such a file leaves it 0 and names the place in Detail.
	Page int64 `json:"page,omitempty"`
	// Bytes is the number of bytes that should not be there.
	Bytes int64 `json:"bytes,omitempty"`
	// Generation is the id of the picture in question, which is the id of its receipt, too.
	Generation string `json:"generation,omitempty"`
	// Receipt is the number of a receipt inside the database.
	Receipt int64 `json:"receipt,omitempty"`
	// User and Issuer name whose picture or receipt it is, where that is known.
	User   string `json:"user,omitempty"`
	Issuer string `json:"issuer,omitempty"`
	// Detail is a sentence about what was seen.
	Detail string `json:"detail"`
	// Repaired: the repair was done and is durable.
	Repaired bool `json:"repaired"`
	// Repair describes what was done, or why nothing was done. It is empty when no repair was asked for.
	Repair string `json:"repair,omitempty"`
}

// CheckSummary counts what a check has looked at. A picture that is replaced meanwhile may be counted twice or not at all.
type CheckSummary struct {
	// Slots counts the places where bytes of a picture can be, whether one is there or not: slots of a file, or objects of a bucket.
	Slots    int64 `json:"slots"`
	Pictures int64 `json:"pictures"`
	Users    int64 `json:"users"`
	Receipts int64 `json:"receipts"`
	// UnderWay counts those of Slots that were being filled or erased, or changed faster than they could be looked at.
	UnderWay int64 `json:"under_way"`
	Findings int64 `json:"findings"`
	Repaired int64 `json:"repaired"`
}

// CheckOptions are the options of a check.
type CheckOptions struct {
	// Repair finishes or removes what is found, where that loses no picture that is whole.
	Repair bool
	// By names the caller in the audit trail of repairs.
	By Origin
	// Progress, unless it is nil, is called with the share of the work that is done. total may grow between calls.
	Progress func(done, total int64)
}
