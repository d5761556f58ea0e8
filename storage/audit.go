package storage

import "time"

// Actions of changes in the trail of a store. The action of a refusal is the procedure, or method and route, of the call. They are stored:
// earlier versions recorded "user-remove" for a user who was taken off the record.
const (
	ActionRegister           = "register" // an organisation, or a user
	ActionEndOrganization    = "organization-end"
	ActionRemoveOrganization = "organization-remove"
	ActionMoveFrom           = "move-from" // a user, to another organisation
	ActionMoveTo             = "move-to"
	ActionEraseUser          = "user-erase"
	ActionUpload             = "upload"
	ActionRemove             = "remove"
	ActionRepair             = "repair"
	ActionIssuerMoveFrom     = "issuer-move-from"
	ActionIssuerMoveTo       = "issuer-move-to"
)

// AuditQuery chooses records of the trail.
type AuditQuery struct {
	// Organization, Target, Caller and Action list the records that have that text; "" = all.
	Organization, Target, Caller, Action string
	// Kind lists changes or refusals only.
	Kind AuditKind
	// Since and Until bound the time of the records: Since itself is in the list, Until is not; zero = no bound.
	Since, Until time.Time
	// After is the Next of the page before; zero = from the oldest.
	After TrailPosition
}

// AuditKind chooses between changes and refusals.
type AuditKind string

// The kinds of records.
const (
	AnyRecords  AuditKind = ""
	ChangesOnly AuditKind = "changes"
	Refusals    AuditKind = "refusals"
)

// Valid reports whether a Store takes the query.
func (q AuditQuery) Valid() bool {
	return validTexts(q.Organization, q.Target, q.Caller, q.Action) && (q.Kind == AnyRecords || q.Kind == ChangesOnly || q.Kind == Refusals) &&
		q.After.Changes >= 0 && q.After.Refusals >= 0
}

// Admits reports whether the query lists a record.
func (q AuditQuery) Admits(r AuditRecord) bool {
	for _, of := range [...][2]string{{q.Organization, r.Organization}, {q.Target, r.Target}, {q.Caller, r.Caller}, {q.Action, r.Action}} {
		if of[0] != "" && of[0] != of[1] {
			return false
		}
	}
	at := time.UnixMicro(r.Time)
	return (q.Kind == AnyRecords || r.Refusal == (q.Kind == Refusals)) && !at.Before(q.Since) && (q.Until.IsZero() || at.Before(q.Until))
}

// AuditPage is a part of the trail. Records are in the order of their times as far as a page reaches.
type AuditPage struct {
	Records []AuditRecord
	// Next is the After of the next page. At the end of the trail it is where new records will follow.
	Next TrailPosition
	// More: records may follow already.
	More bool
}
