package backup

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"example.org/avatard/storage"
)

// body is the body of a record while it is written: signed numbers in as few bytes as they need, texts with their
// length before them.
type body struct {
	bytes []byte
	fault string
}

func (b *body) version() uint32 { return formatVersion }

func (b *body) number(n *int64, low, high int64, mend bool) {
	if mend {
		*n = min(max(*n, low), high)
	}
	b.demand(*n >= low && *n <= high, numberFault)
	b.bytes = binary.AppendVarint(b.bytes, *n)
}

func (b *body) text(s string) {
	b.bytes = binary.AppendVarint(b.bytes, int64(len(s)))
	b.bytes = append(b.bytes, s...)
}

func (b *body) id(s *string) {
	b.demand(len(*s) > 0 && len(*s) <= storage.MaxIDBytes, numberFault)
	b.demand(utf8.ValidString(*s), textFault)
	b.text(*s)
}

func (b *body) note(s *string) {
	*s = storage.FitText(*s)
	b.text(*s)
}

func (b *body) name(id *[16]byte) { b.bytes = append(b.bytes, id[:]...) }
func (b *body) octet(o *byte)     { b.bytes = append(b.bytes, *o) }

func (b *body) state(s *storage.RegistrationState) {
	b.demand(*s <= storage.Ending, stateFault)
	if *s != storage.Registered {
		b.bytes = append(b.bytes, byte(*s))
	}
}

func (b *body) rest(r *[]byte, low, high int) {
	b.demand(len(*r) >= low && len(*r) <= high, sizeFault)
	b.bytes = append(b.bytes, *r...)
}

func (b *body) demand(holds bool, fault string) {
	if !holds && b.fault == "" {
		b.fault = fault
	}
}

// Faults of a field.
const (
	numberFault = "a number is out of its range"
	textFault   = "a text is not UTF-8"
	sizeFault   = "it is too short or too long"
	stateFault  = "a state that is not known"
)

// encode makes b the body of a record and returns its kind. An error is about a record that the reader would refuse.
func (b *body) encode(record storage.Record) (recordKind, error) {
	b.bytes, b.fault = b.bytes[:0], ""
	var kind recordKind
	switch r := record.(type) {
	case storage.StoreRecord:
		kind = kindStore
		storeFields(b, &r)
	case storage.IssuerRecord:
		kind = kindIssuer
		issuerFields(b, &r)
	case storage.IssuerMoveRecord:
		kind = kindIssuerMove
		issuerMoveFields(b, &r)
	case storage.OrganizationRecord:
		kind = kindOrganization
		organizationFields(b, &r)
	case storage.UserRecord:
		kind = kindUser
		userFields(b, &r)
	case storage.PictureRecord:
		kind = kindPicture
		pictureFields(b, &r)
	case storage.ReceiptRecord:
		kind = kindReceipt
		receiptFields(b, &r)
	case storage.AuditRecord:
		if kind = kindAudit; r.Refusal {
			kind = kindRefusal
		}
		auditFields(b, &r)
	case storage.EndRecord:
		kind = kindEnd
		endFields(b, &r)
	default:
		return 0, fmt.Errorf("a %T cannot be written", record)
	}
	if b.fault != "" {
		return kind, fmt.Errorf("a record of kind %d cannot be written: %s", kind, b.fault)
	}
	return kind, nil
}

// parser takes a body apart. After the first fault everything is zero.
type parser struct {
	left   []byte
	format uint32 // version
	fault  string
}

func (p *parser) version() uint32 { return p.format }

func (p *parser) demand(holds bool, fault string) {
	if !holds && p.fault == "" {
		p.fault, p.left = fault, nil
	}
}

func (p *parser) number(n *int64, low, high int64, _ bool) {
	*n = 0
	if p.fault != "" {
		return
	}
	v, size := binary.Varint(p.left)
	if size <= 0 {
		p.demand(false, "a number is cut off")
		return
	}
	if v < low || v > high {
		p.demand(false, numberFault)
		return
	}
	*n, p.left = v, p.left[size:]
}

func (p *parser) take(n int64) []byte {
	if n > int64(len(p.left)) {
		p.demand(false, "it is too short")
		return nil
	}
	taken := p.left[:n]
	p.left = p.left[n:]
	return taken
}

func (p *parser) text(s *string, low, high int64) {
	var length int64
	p.number(&length, low, high, false)
	b := p.take(length)
	p.demand(utf8.Valid(b), textFault)
	*s = string(b)
}

func (p *parser) id(s *string) { p.text(s, 1, storage.MaxIDBytes) }

func (p *parser) note(s *string) {
	if p.format < 2 {
		p.text(s, 0, maxBackupText)
		*s = storage.FitText(*s)
		return
	}
	p.text(s, 0, storage.MaxIDBytes)
}

func (p *parser) name(id *[16]byte) { copy(id[:], p.take(int64(len(id)))) }

func (p *parser) octet(o *byte) {
	if b := p.take(1); len(b) == 1 {
		*o = b[0]
	}
}

func (p *parser) state(s *storage.RegistrationState) {
	if len(p.left) == 0 || p.format < 2 {
		return
	}
	var written byte
	p.octet(&written)
	newest := storage.Ending
	if p.format < 3 {
		newest = storage.Removed
	}
	*s = storage.RegistrationState(written)
	p.demand(*s != storage.Registered && *s <= newest, stateFault)
}

func (p *parser) rest(b *[]byte, low, high int) {
	p.demand(len(p.left) >= low && len(p.left) <= high, sizeFault)
	*b, p.left = p.left, nil
}

// decode takes the body of a record apart. A picture's Data shares memory with the body.
func decode(version uint32, kind recordKind, b []byte) (record storage.Record, err error) {
	p := &parser{left: b, format: version}
	switch kind {
	case kindStore:
		record = read(p, storeFields)
	case kindIssuer:
		record = read(p, issuerFields)
	case kindIssuerMove:
		record = read(p, issuerMoveFields)
	case kindOrganization:
		record = read(p, organizationFields)
	case kindUser:
		record = read(p, userFields)
	case kindPicture:
		record = read(p, pictureFields)
	case kindReceipt:
		record = read(p, receiptFields)
	case kindAudit:
		record = read(p, auditFields)
	case kindRefusal:
		a := read(p, auditFields)
		a.Refusal = true
		record = a
	case kindVoid:
		for _, c := range b {
			if c != 0 {
				p.demand(false, "a void is not empty")
				break
			}
		}
		p.left, record = nil, storage.VoidRecord{}
	case kindEnd:
		record = read(p, endFields)
	default:
		return nil, fmt.Errorf("%w: record of kind %d", storage.ErrExportDamaged, kind)
	}
	p.demand(len(p.left) == 0, "it is too long")
	if p.fault != "" {
		return nil, fmt.Errorf("%w: record of kind %d: %s", storage.ErrExportDamaged, kind, p.fault)
	}
	return record, nil
}

// read parses a record.
func read[R any](p *parser, fields func(fields, *R)) (record R) {
	fields(p, &record)
	return record
}
