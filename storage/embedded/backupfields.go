package embedded

import (
	"avatard/storage"
	"avatard/storage/embedded/internal/slab"
)

// fields is who goes through the fields of a record in their order: a writer, which finds them filled, or a reader, which fills
// them. Both hold them to the same limits, so that nothing is written that would not be read. A fault ends it.
type fields interface {
	// version is that of the format.
	version() uint32
	// number is from low to high. Where mend is set, a writer takes the next one inside instead of refusing.
	number(n *int64, low, high int64, mend bool)
	// id is what storage.ValidText's length and encoding are; a writer refuses others.
	id(s *string)
	// note is text that may be empty. A writer makes it fit.
	note(s *string)
	name(id *slab.GenerationID)
	// rest is what is left: low to high bytes.
	rest(b *[]byte, low, high int)
	octet(b *byte)
	// mark is written only where it is set, behind everything else.
	mark(is *bool)
	// fail says that the record cannot be, when it does not hold.
	demand(holds bool, fault string)
}

func ordinal(f fields, n *int64) { f.number(n, 1, largestBackupSize, false) }

// moment is a time. A clock that was out of all bounds is no reason to have no backup; nor is a count.
func moment(f fields, n *int64) { f.number(n, smallestTime, largestTime, true) }
func tally(f fields, n *int64)  { f.number(n, 0, largestBackupSize, true) }

func (r *storeRecord) fields(f fields) {
	f.name(&r.id)
	kind := int64(0)
	if r.receiptsOnly {
		kind = 1
	}
	f.number(&kind, 0, 1, false)
	r.receiptsOnly = kind == 1
	moment(f, &r.began)
	tally(f, &r.receipts)
	tally(f, &r.lastUser)
	if f.version() >= 2 {
		tally(f, &r.since)
		moment(f, &r.sinceTime)
		f.demand(r.receiptsOnly || r.since == 0, "only receipts go on from another backup")
	}
}

func (r *issuerRecord) fields(f fields) {
	ordinal(f, &r.iid)
	f.id(&r.url)
}

func (r *issuerMove) fields(f fields) {
	f.id(&r.from)
	f.id(&r.to)
	f.demand(r.from != r.to, "an issuer became itself")
}

func (r *organizationRecord) fields(f fields) {
	f.id(&r.id)
	moment(f, &r.created)
	f.mark(&r.removed)
}

func (r *backedUser) fields(f fields) {
	ordinal(f, &r.uid)
	ordinal(f, &r.iid)
	f.id(&r.id)
	f.id(&r.organization)
	moment(f, &r.created)
	moment(f, &r.changed)
	ordinal(f, &r.sequence)
	picture := int64(r.picture)
	f.number(&picture, int64(pictureNone), int64(pictureMissing), false)
	r.picture = pictureState(picture)
	f.mark(&r.removed)
	f.demand(r.changed >= r.created, "a user was changed before being registered")
	f.demand(!r.removed || r.picture == pictureNone, "a user who was removed has a picture")
}

func (r *pictureRecord) fields(f fields) {
	f.name(&r.generation)
	format := byte(r.format)
	f.octet(&format)
	r.format = storage.Format(format)
	f.rest(&r.data, 1, slab.MaxStoredBytes)
	f.demand(r.format.MediaType() != "", "a format that is not known")
}

func (r *receiptRecord) fields(f fields) {
	ordinal(f, &r.seq)
	ordinal(f, &r.uid)
	f.name(&r.generation)
	moment(f, &r.time)
	f.number(&r.reason, reasonRemoved, reasonLost, false)
}

func (r *auditRecord) fields(f fields) {
	ordinal(f, &r.seq)
	moment(f, &r.time)
	for _, s := range []*string{&r.action, &r.result, &r.caller, &r.callerOrganization, &r.organization, &r.target, &r.request} {
		f.note(s)
	}
	tally(f, &r.dropped)
	if f.version() < 2 {
		r.refusal = r.result != auditDone
	}
}

func (r *endRecord) fields(f fields) {
	moment(f, &r.ended)
	c, t := &r.counts, &r.totals
	for _, n := range []*int64{&c.issuers, &c.organizations, &c.users, &c.pictures, &c.receipts, &c.audit,
		&t.Users, &t.Changed, &t.Missing, &t.Unreadable} {
		tally(f, n)
	}
	if f.version() >= 2 {
		tally(f, &c.refusals)
		moment(f, &r.horizon)
		tally(f, &r.newest)
		f.name(&r.generation)
	}
}
