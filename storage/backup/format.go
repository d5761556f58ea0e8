// Package backup keeps a store's records in files and streams.
//
//	storage.Keeper ─► Write ─► stream ─► Save, Copy ─► file
//	file, stream ─► Restore ─► storage.Place.Import         Check, End: what is in a file, and where it ends
//
//	format.go  the layout           fields.go  the fields of each record and their limits, for writer and reader    body.go  fields as bytes
//	stream.go  Writer and Reader    file.go  a file, without pictures that were erased meanwhile                    spool.go  a stream read more than once
//
// The format depends on neither engine nor schema: a store can be filled with the records of any other one.
package backup

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"example.org/avatard/storage"
)

// A backup is a stream of records, whatever the schema of the database it was made from; docs/backup.md draws it:
//
//	magic, version │ store │ issuers, organisations, users, each with its picture │ receipts … │ audit trail │ end
//
// The fields of each record, and their limits, are in fields.go, once for writer and reader.
//
// Each record is its kind, the length of its body, the body, and a CRC-32C of all that and of the record's place in the
// file, so that a record that was changed, moved, doubled or left out shows at once.
//
// A version that was released never changes. A program reads every version up to its own.
const (
	magic         = "avtdbkup"
	formatVersion = 3

	headBytes        = len(magic) + 4
	recordHeadBytes  = 5
	recordSumBytes   = 4
	maxPictureBytes  = 1 << 20
	maxRecordBytes   = maxPictureBytes + 4096
	pictureHeadBytes = 16 + 1
	maxBackupText    = 64 << 10 // any one text of version 1
)

// This does not compile unless the largest picture that a store takes fits into a record. maxPictureBytes is part of the format and may be
// larger, when stores take less than they once did.
const _ = uint(maxPictureBytes - storage.MaxPictureBytes)

// Errors of a file that is to be restored. Compare with errors.Is.
var (
	// ErrNoBackup: the file is something else.
	ErrNoBackup = errors.New("this is no backup of avatard")
	// ErrVersion: a newer program has written the file.
	ErrVersion = errors.New("the backup is of a newer program")
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
	// kindVoid stands in place of a picture that was erased: its body is zeros.
	kindVoid recordKind = 8
	kindEnd  recordKind = 9
	// kindRefusal is a call that was refused. In version 1 refusals are of kindAudit.
	kindRefusal recordKind = 10
	// kindIssuerMove is an issuer whose users were given to another one. It exists since version 2.
	kindIssuerMove recordKind = 11
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// recordHead returns the bytes before a body.
func recordHead(kind recordKind, length int) (head [recordHeadBytes]byte) {
	head[0] = byte(kind)
	binary.BigEndian.PutUint32(head[1:], uint32(length))
	return head
}

// recordSum returns the sum behind a body, of a record at this offset of the file.
func recordSum(offset int64, head [recordHeadBytes]byte, b []byte) uint32 {
	var place [8]byte
	binary.BigEndian.PutUint64(place[:], uint64(offset))
	sum := crc32.Update(0, castagnoli, place[:])
	sum = crc32.Update(sum, castagnoli, head[:])
	return crc32.Update(sum, castagnoli, b)
}
