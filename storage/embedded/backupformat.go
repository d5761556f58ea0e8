package embedded

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"avatard/storage"
	"avatard/storage/embedded/internal/slab"
)

// A backup is a stream of records, whatever the schema of the database it was made from; docs/backup.md draws it:
//
//	magic, version │ store │ issuers, organisations, users, each with its picture │ receipts … │ audit trail │ end
//
// What a record holds, and within what limits, is said once for writer and reader: backupfields.go.
//
// Each record is its kind, the length of its body, the body, and a CRC-32C of all that and of the record's place in the
// file, so that a record that was changed, moved, doubled or left out shows at once.
//
// Nothing of the format that is released changes within a version; a program reads every version up to its own.
const (
	backupMagic   = "avtdbkup"
	backupVersion = 2

	backupHeadBytes   = len(backupMagic) + 4
	recordHeadBytes   = 5
	recordSumBytes    = 4
	maxRecordBytes    = slab.MaxStoredBytes + 4096
	pictureHeadBytes  = 16 + 1
	maxBackupText     = 64 << 10 // any one text of version 1
	smallestTime      = -1 << 56 // of times in microseconds: some two thousand years around 1970
	largestTime       = 1 << 56
	largestBackupSize = 1 << 62
)

// Errors of a file that is to be restored. Compare with errors.Is.
var (
	// ErrNoBackup: the file is something else.
	ErrNoBackup = errors.New("this is no backup of avatard")
	// ErrBackupVersion: a newer program has written the file.
	ErrBackupVersion = errors.New("the backup is of a newer program")
	// ErrBackupDamaged: bytes are missing, or are not those that were written.
	ErrBackupDamaged = errors.New("the backup is damaged")
)

// recordKind is the first byte of a record. The numbers are in files: never reuse one.
type recordKind byte

const (
	kindStore        recordKind = 1
	kindIssuer       recordKind = 2
	kindOrganization recordKind = 3
	kindUser         recordKind = 4
	kindPicture      recordKind = 5 // of the user before it
	kindReceipt      recordKind = 6
	kindAudit        recordKind = 7
	// kindVoid was a picture that is erased: nothing but zeros.
	kindVoid recordKind = 8
	kindEnd  recordKind = 9
	// kindRefusal is a call that was turned away; in version 1 those are of kindAudit.
	kindRefusal recordKind = 10
	// kindIssuerMove is an issuer whose users were given to another one. Since version 2.
	kindIssuerMove recordKind = 11
)

// storeRecord is the first record.
type storeRecord struct {
	id           slab.GenerationID
	receiptsOnly bool
	began        int64 // time, as all times in microseconds since 1970
	// receipts is the newest receipt when the backup began: pictures named by later ones may be in the file.
	receipts int64
	// lastUser is the largest uid when the backup began, for those who show how far they are.
	lastUser int64

	// Since version 2, of a file that goes on from another one, 0 otherwise: receipts up to since are in that one, which knew of
	// every erasure up to sinceTime.
	since, sinceTime int64
}

type issuerRecord struct {
	iid int64
	url string
}

// issuerMove tells that the users of one issuer were given to another. They are in the order in which that was done, all of them since
// the first, and before the first user.
type issuerMove struct{ from, to string }

// organizationRecord is an organisation. A later record of the same id replaces it.
type organizationRecord struct {
	id      string
	created int64
	removed bool // since version 2, as that of a user
}

// pictureState tells whether a user's picture is in the file.
type pictureState int64

const (
	pictureNone    pictureState = 0 // there was none
	pictureFollows pictureState = 1
	pictureMissing pictureState = 2 // there was one that could not be had any more, see Store.Backup
)

// backedUser is a user's record. A later record of the same uid replaces it, and its picture.
type backedUser struct {
	uid, iid         int64
	id, organization string
	created, changed int64
	sequence         int64
	picture          pictureState
	// removed: the user is off the record, and somebody who comes back goes on with this one.
	removed bool
}

type pictureRecord struct {
	generation slab.GenerationID
	format     storage.Format
	data       []byte
}

type receiptRecord struct {
	seq, uid   int64
	generation slab.GenerationID
	time       int64
	reason     int64
}

type auditRecord struct {
	seq, time                                                                 int64
	action, result, caller, callerOrganization, organization, target, request string
	dropped                                                                   int64
	refusal                                                                   bool
}

// auditDone is the result of every change; that of a refusal is its reason.
const auditDone = "done"

// endRecord closes the file: what is in it, and the moment until which it knows of every erasure.
type endRecord struct {
	ended  int64
	counts backupCounts
	totals storage.ExportTotals
	// Since version 2. Receipts of erasures before horizon may have gone because of their age, 0 when none have.
	horizon int64
	// newest is the last receipt that this backup, or the one it goes on from, holds, and of what; 0 for none.
	newest     int64
	generation slab.GenerationID
}

// backupCounts are the numbers of records. A void counts as the picture it was.
type backupCounts struct {
	issuers, organizations, users, pictures, receipts, audit, refusals int64
}

// count notes a record.
func (c *backupCounts) count(kind recordKind) {
	switch kind {
	case kindIssuer:
		c.issuers++
	case kindOrganization:
		c.organizations++
	case kindUser:
		c.users++
	case kindPicture, kindVoid:
		c.pictures++
	case kindReceipt:
		c.receipts++
	case kindAudit:
		c.audit++
	case kindRefusal:
		c.refusals++
	case kindStore, kindEnd, kindIssuerMove:
	}
}

// recordHead is what stands before a body.
func recordHead(kind recordKind, length int) (head [recordHeadBytes]byte) {
	head[0] = byte(kind)
	binary.BigEndian.PutUint32(head[1:], uint32(length))
	return head
}

// recordSum is what stands behind a body, in the record at this place of the file.
func recordSum(offset int64, head [recordHeadBytes]byte, b []byte) uint32 {
	var place [8]byte
	binary.BigEndian.PutUint64(place[:], uint64(offset))
	sum := crc32.Update(0, slab.Castagnoli, place[:])
	sum = crc32.Update(sum, slab.Castagnoli, head[:])
	return crc32.Update(sum, slab.Castagnoli, b)
}
