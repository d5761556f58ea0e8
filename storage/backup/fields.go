package backup

import (
	"example.org/avatard/storage"
)

// fields goes through the fields of a record in their order. There are two: a writer finds the fields filled, a reader fills them.
// Both hold them to the same limits, so that nothing is written that would not be read. The first fault is kept.
type fields interface {
	// version is the version of the format.
	version() uint32
	// number is from low to high. Where mend is set, a writer takes the nearest number inside instead of refusing.
	number(n *int64, low, high int64, mend bool)
	// id is text of 1 to storage.MaxIDBytes bytes of UTF-8; a writer refuses others.
	id(s *string)
	// note is text that may be empty. A writer makes it fit, see storage.FitText.
	note(s *string)
	name(id *[16]byte)
	// rest is all that is left of the body: low to high bytes.
	rest(b *[]byte, low, high int)
	octet(b *byte)
	// state is at the end of a record. It is written only where it is not storage.Registered.
	state(s *storage.RegistrationState)
	// demand makes the record invalid unless holds is true.
	demand(holds bool, fault string)
}

func ordinal(f fields, n *int64) { f.number(n, 1, storage.MaxCount, false) }

// moment is a time. One of a clock that was out of all bounds is mended, and a count is, too: neither may keep a backup from being made.
func moment(f fields, n *int64) { f.number(n, storage.MinTime, storage.MaxTime, true) }
func tally(f fields, n *int64)  { f.number(n, 0, storage.MaxCount, true) }

func storeFields(f fields, r *storage.StoreRecord) {
	f.name(&r.ID)
	kind := int64(0)
	if r.ReceiptsOnly {
		kind = 1
	}
	f.number(&kind, 0, 1, false)
	r.ReceiptsOnly = kind == 1
	moment(f, &r.Began)
	tally(f, &r.Receipts)
	tally(f, &r.LastUser)
	if f.version() >= 2 {
		tally(f, &r.Since)
		moment(f, &r.SinceTime)
		f.demand(r.ReceiptsOnly || r.Since == 0, "only receipts go on from another backup")
	}
}

func issuerFields(f fields, r *storage.IssuerRecord) {
	ordinal(f, &r.Number)
	f.id(&r.URL)
}

func issuerMoveFields(f fields, r *storage.IssuerMoveRecord) {
	f.id(&r.From)
	f.id(&r.To)
	f.demand(r.From != r.To, "an issuer became itself")
}

func organizationFields(f fields, r *storage.OrganizationRecord) {
	f.id(&r.ID)
	moment(f, &r.Created)
	f.state(&r.State)
}

func userFields(f fields, r *storage.UserRecord) {
	ordinal(f, &r.Number)
	ordinal(f, &r.Issuer)
	f.id(&r.ID)
	f.id(&r.Organization)
	moment(f, &r.Created)
	moment(f, &r.Changed)
	ordinal(f, &r.Sequence)
	picture := int64(r.Picture)
	f.number(&picture, int64(storage.PictureNone), int64(storage.PictureLost), false)
	r.Picture = storage.PictureState(picture)
	f.state(&r.State)
	f.demand(r.State != storage.Ending, "a user is ending, as organisations are")
	f.demand(r.Changed >= r.Created, "a user was changed before being registered")
	f.demand(r.State.On() || r.Picture == storage.PictureNone, "a user who is off the record has a picture")
}

func pictureFields(f fields, r *storage.PictureRecord) {
	f.name(&r.Generation)
	format := byte(r.Format)
	f.octet(&format)
	r.Format = storage.Format(format)
	f.rest(&r.Data, 1, maxPictureBytes)
	f.demand(r.Format.MediaType() != "", "a format that is not known")
}

func receiptFields(f fields, r *storage.ReceiptRecord) {
	ordinal(f, &r.Number)
	ordinal(f, &r.User)
	f.name(&r.Generation)
	moment(f, &r.Time)
	f.number(&r.Reason, storage.ReasonRemoved, storage.ReasonLost, false)
	if f.version() >= 3 {
		for _, s := range []*string{&r.Organization, &r.Caller, &r.CallerOrganization, &r.Request} {
			f.note(s)
		}
	}
}

func auditFields(f fields, r *storage.AuditRecord) {
	ordinal(f, &r.Number)
	moment(f, &r.Time)
	for _, s := range []*string{&r.Action, &r.Result, &r.Caller, &r.CallerOrganization, &r.Organization, &r.Target, &r.Request} {
		f.note(s)
	}
	tally(f, &r.Dropped)
	if f.version() < 2 {
		r.Refusal = r.Result != storage.AuditDone
	}
}

func endFields(f fields, r *storage.EndRecord) {
	moment(f, &r.Ended)
	c, t := &r.Counts, &r.Totals
	for _, n := range []*int64{&c.Issuers, &c.Organizations, &c.Users, &c.Pictures, &c.Receipts, &c.Audit,
		&t.Users, &t.Changed, &t.Missing, &t.Unreadable} {
		tally(f, n)
	}
	if f.version() >= 2 {
		tally(f, &c.Refusals)
		moment(f, &r.Horizon)
		tally(f, &r.Newest)
		f.name(&r.Generation)
	}
}
