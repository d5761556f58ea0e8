package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"unicode/utf8"

	"avatard/storage"
)

// A backup is a stream of records, whatever the schema of the database it was made from; docs/backup.md draws it:
//
//	magic, version │ store │ issuers, organisations, users, each with its picture │ receipts … │ audit trail │ end
//
// Each record is its kind, the length of its body, the body, and a CRC-32C of all that and of the record's place in the
// file, so that a record that was changed, moved, doubled or left out shows at once.
//
// Nothing of the format that is released changes within a version; a program reads every version up to its own.
const (
	backupMagic   = "avtdbkup"
	backupVersion = 1

	backupHeadBytes   = len(backupMagic) + 4
	recordHeadBytes   = 5
	recordSumBytes    = 4
	maxRecordBytes    = storage.MaxPictureBytes + 4096
	pictureHeadBytes  = 16 + 1
	maxBackupText     = 64 << 10 // any one text, far over the longest id
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
)

// storeRecord is the first record.
type storeRecord struct {
	id           generationID
	receiptsOnly bool
	began        int64 // time, as all times in microseconds since 1970
	// receipts is the newest receipt when the backup began: pictures named by later ones may be in the file.
	receipts int64
	// lastUser is the largest uid when the backup began, for those who show how far they are.
	lastUser int64
}

type issuerRecord struct {
	iid int64
	url string
}

type organizationRecord struct {
	id      string
	created int64
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
}

type pictureRecord struct {
	generation generationID
	format     storage.Format
	data       []byte
}

type receiptRecord struct {
	seq, uid   int64
	generation generationID
	time       int64
	reason     int64
}

type auditRecord struct {
	seq, time                                                                 int64
	action, result, caller, callerOrganization, organization, target, request string
	dropped                                                                   int64
}

// endRecord closes the file: what is in it, and the moment until which it knows of every erasure.
type endRecord struct {
	ended  int64
	counts backupCounts
	totals BackupTotals
}

// backupCounts are the numbers of records. A void counts as the picture it was.
type backupCounts struct {
	issuers, organizations, users, pictures, receipts, audit int64
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
	case kindStore, kindEnd:
	}
}

// body is the body of a record while it is written: signed numbers in as few bytes as they need, texts with their
// length before them.
type body []byte

func (b *body) number(n int64) { *b = binary.AppendVarint(*b, n) }
func (b *body) text(s string)  { b.number(int64(len(s))); *b = append(*b, s...) }
func (b *body) name(id generationID) {
	*b = append(*b, id[:]...)
}

// encode appends a record's body to b and returns its kind.
func (b *body) encode(record any) recordKind {
	switch r := record.(type) {
	case storeRecord:
		b.name(r.id)
		kind := int64(0)
		if r.receiptsOnly {
			kind = 1
		}
		for _, n := range []int64{kind, r.began, r.receipts, r.lastUser} {
			b.number(n)
		}
		return kindStore
	case issuerRecord:
		b.number(r.iid)
		b.text(r.url)
		return kindIssuer
	case organizationRecord:
		b.text(r.id)
		b.number(r.created)
		return kindOrganization
	case backedUser:
		b.number(r.uid)
		b.number(r.iid)
		b.text(r.id)
		b.text(r.organization)
		for _, n := range []int64{r.created, r.changed, r.sequence, int64(r.picture)} {
			b.number(n)
		}
		return kindUser
	case pictureRecord:
		b.name(r.generation)
		*b = append(*b, byte(r.format))
		*b = append(*b, r.data...)
		return kindPicture
	case receiptRecord:
		b.number(r.seq)
		b.number(r.uid)
		b.name(r.generation)
		b.number(r.time)
		b.number(r.reason)
		return kindReceipt
	case auditRecord:
		b.number(r.seq)
		b.number(r.time)
		for _, s := range []string{r.action, r.result, r.caller, r.callerOrganization, r.organization, r.target, r.request} {
			b.text(s)
		}
		b.number(r.dropped)
		return kindAudit
	case endRecord:
		c, t := r.counts, r.totals
		for _, n := range []int64{r.ended, c.issuers, c.organizations, c.users, c.pictures, c.receipts, c.audit,
			t.Users, t.Changed, t.Missing, t.Unreadable} {
			b.number(n)
		}
		return kindEnd
	}
	panic(fmt.Sprintf("no record: %T", record))
}

// parser takes a body apart. After the first fault everything is zero.
type parser struct {
	rest  []byte
	fault string
}

func (p *parser) fail(fault string) {
	if p.fault == "" {
		p.fault, p.rest = fault, nil
	}
}

func (p *parser) number(low, high int64) int64 {
	n, size := binary.Varint(p.rest)
	switch {
	case size <= 0:
		p.fail("a number is cut off")
		return 0
	case n < low || n > high:
		p.fail("a number is out of its range")
		return 0
	}
	p.rest = p.rest[size:]
	return n
}

func (p *parser) take(n int64) []byte {
	if n > int64(len(p.rest)) {
		p.fail("it is too short")
		return nil
	}
	taken := p.rest[:n]
	p.rest = p.rest[n:]
	return taken
}

func (p *parser) text(low, high int64) string {
	s := p.take(p.number(low, high))
	if !utf8.Valid(s) {
		p.fail("a text is not UTF-8")
	}
	return string(s)
}

func (p *parser) name() (id generationID) {
	copy(id[:], p.take(int64(len(id))))
	return id
}

func (p *parser) time() int64  { return p.number(smallestTime, largestTime) }
func (p *parser) count() int64 { return p.number(0, largestBackupSize) }
func (p *parser) key() int64   { return p.number(1, largestBackupSize) }
func (p *parser) id() string   { return p.text(1, storage.MaxIDBytes) }

// decode takes the body of a record apart. A picture's bytes are those of the body.
func decode(kind recordKind, b []byte) (record any, err error) {
	p := &parser{rest: b}
	switch kind {
	case kindStore:
		record = storeRecord{id: p.name(), receiptsOnly: p.number(0, 1) == 1, began: p.time(), receipts: p.count(), lastUser: p.count()}
	case kindIssuer:
		record = issuerRecord{iid: p.key(), url: p.id()}
	case kindOrganization:
		record = organizationRecord{id: p.id(), created: p.time()}
	case kindUser:
		u := backedUser{uid: p.key(), iid: p.key(), id: p.id(), organization: p.id(), created: p.time(), changed: p.time(),
			sequence: p.key(), picture: pictureState(p.number(0, int64(pictureMissing)))}
		if u.changed < u.created {
			p.fail("a user was changed before being registered")
		}
		record = u
	case kindPicture:
		pic := pictureRecord{generation: p.name()}
		if f := p.take(1); len(f) == 1 {
			pic.format = storage.Format(f[0])
		}
		pic.data, p.rest = p.rest, nil
		switch {
		case len(pic.data) == 0 || len(pic.data) > storage.MaxPictureBytes:
			p.fail("it is no picture")
		case pic.format.MediaType() == "":
			p.fail("a format that is not known")
		}
		record = pic
	case kindReceipt:
		record = receiptRecord{seq: p.key(), uid: p.key(), generation: p.name(), time: p.time(), reason: p.number(reasonRemoved, reasonAbandoned)}
	case kindAudit:
		a := auditRecord{seq: p.key(), time: p.time()}
		for _, s := range []*string{&a.action, &a.result, &a.caller, &a.callerOrganization, &a.organization, &a.target, &a.request} {
			*s = p.text(0, maxBackupText)
		}
		a.dropped = p.count()
		record = a
	case kindVoid:
		for _, c := range b {
			if c != 0 {
				p.fail("a void is not empty")
				break
			}
		}
		p.rest = nil
	case kindEnd:
		e := endRecord{ended: p.time()}
		c, t := &e.counts, &e.totals
		for _, n := range []*int64{&c.issuers, &c.organizations, &c.users, &c.pictures, &c.receipts, &c.audit,
			&t.Users, &t.Changed, &t.Missing, &t.Unreadable} {
			*n = p.count()
		}
		record = e
	default:
		return nil, fmt.Errorf("%w: record of kind %d", ErrBackupDamaged, kind)
	}
	if p.fault == "" && len(p.rest) > 0 {
		p.fail("it is too long")
	}
	if p.fault != "" {
		return nil, fmt.Errorf("%w: record of kind %d: %s", ErrBackupDamaged, kind, p.fault)
	}
	return record, nil
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
	sum := crc32.Update(0, castagnoli, place[:])
	sum = crc32.Update(sum, castagnoli, head[:])
	return crc32.Update(sum, castagnoli, b)
}
