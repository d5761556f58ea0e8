package admin

import (
	"context"
	"net/http"
	"time"

	"example.org/avatard/storage"
)

// AuditRequest asks for one page of the audit trail, the oldest records first.
type AuditRequest struct {
	Query storage.AuditQuery `json:"query"`
}

// AuditReply is one page. It may be empty although others follow.
type AuditReply struct {
	Records []AuditRecord `json:"records,omitempty"`
	// Next is what the next page goes on behind, also at the end of the trail.
	Next storage.TrailPosition `json:"next"`
	More bool                  `json:"more,omitempty"` // records may follow already
}

// AuditRecord is a record of the trail as --json prints it.
type AuditRecord struct {
	Time time.Time `json:"time"`
	Kind string    `json:"kind"` // KindChange or KindRefusal
	// Action is what was done; of a refusal the procedure, or method and route.
	Action  string `json:"action"`
	Refused string `json:"refused,omitempty"` // the id or code that the caller of a refusal was given

	Caller             string `json:"caller"`
	CallerOrganization string `json:"caller_organisation,omitempty"`
	Organization       string `json:"organisation,omitempty"`
	User               string `json:"user,omitempty"`
	Issuer             string `json:"issuer,omitempty"` // of a change that moves an issuer's users
	Request            string `json:"request,omitempty"`
	More               int64  `json:"more,omitempty"` // other refusals that the record stands for
}

// Kinds of records.
const (
	KindChange  = "change"
	KindRefusal = "refusal"
)

func auditRecordOf(r storage.AuditRecord) AuditRecord {
	shown := AuditRecord{Time: time.UnixMicro(r.Time).UTC(), Kind: KindChange, Action: r.Action, Caller: r.Caller, CallerOrganization: r.CallerOrganization,
		Organization: r.Organization, User: r.Target, Request: r.Request, More: r.Dropped}
	switch {
	case r.Refusal:
		shown.Kind, shown.Refused = KindRefusal, r.Result
	case r.Action == storage.ActionIssuerMoveFrom, r.Action == storage.ActionIssuerMoveTo:
		shown.User, shown.Issuer = "", r.Target
	}
	return shown
}

// ListAudit reads one page of the trail.
func ListAudit(ctx context.Context, store storage.Store, req AuditRequest) (reply AuditReply, err error) {
	page, err := store.ListAudit(ctx, req.Query)
	for _, r := range page.Records {
		reply.Records = append(reply.Records, auditRecordOf(r))
	}
	reply.Next, reply.More = page.Next, page.More
	return reply, refusedQuery(err)
}

// audit serves POST /audit.
func (a *Server) audit(w http.ResponseWriter, r *http.Request) {
	lookUp(a, w, r, func(ctx context.Context, req AuditRequest) (AuditReply, error) { return ListAudit(ctx, a.Store, req) })
}
