package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
)

// ReceiptsRequest asks for one page of receipts, the newest first.
type ReceiptsRequest struct {
	// User lists those of one user; "" = of all.
	User string `json:"user,omitempty"`
	// Issuer says whose id it is; "" = that of the only user with it who has receipts.
	Issuer       string    `json:"issuer,omitempty"`
	Organization string    `json:"organisation,omitempty"` // "" = of all
	Since        time.Time `json:"since,omitzero"`         // it is in the list; zero = no bound
	Until        time.Time `json:"until,omitzero"`         // it is not in the list; zero = no bound
	After        string    `json:"after,omitempty"`        // the Next of the page before
}

// ReceiptsReply is one page. It may be empty although others follow.
type ReceiptsReply struct {
	Receipts []Receipt `json:"receipts,omitempty"`
	Issuer   string    `json:"issuer,omitempty"` // whose id the user's is, for the next page
	Next     string    `json:"next,omitempty"`   // "" at the end
}

// ReceiptRequest asks for one receipt.
type ReceiptRequest struct {
	Receipt string `json:"receipt"`
}

// ReceiptReply has the receipt, nil when there is none of that id.
type ReceiptReply struct {
	Receipt *Receipt `json:"receipt,omitempty"`
}

// Receipt is a receipt as --json prints it.
type Receipt struct {
	Receipt      string    `json:"receipt"`
	Time         time.Time `json:"time"` // when the erasure began
	Reason       string    `json:"reason"`
	User         string    `json:"user"`
	Issuer       string    `json:"issuer"`
	Organization string    `json:"organisation"`
	// Caller and the two below are left out where nothing, or nothing any more, is known of who it was.
	Caller             string `json:"caller,omitempty"`
	CallerOrganization string `json:"caller_organisation,omitempty"`
	Request            string `json:"request,omitempty"`
}

// Reasons of receipts, as they are printed.
const (
	ReasonRemoved   = "removed"
	ReasonReplaced  = "replaced"
	ReasonAbandoned = "abandoned"
	ReasonLost      = "lost"
	ReasonUnknown   = "unknown" // one of a later version
)

func reasonOf(reason int64) string {
	switch reason {
	case storage.ReasonRemoved:
		return ReasonRemoved
	case storage.ReasonReplaced:
		return ReasonReplaced
	case storage.ReasonAbandoned:
		return ReasonAbandoned
	case storage.ReasonLost:
		return ReasonLost
	}
	return ReasonUnknown
}

func receiptOf(r storage.Receipt) Receipt {
	return Receipt{Receipt: r.ID, Time: r.Time, Reason: reasonOf(r.Reason), User: r.User.ID, Issuer: r.User.Issuer, Organization: r.Organization,
		Caller: r.By.Caller, CallerOrganization: r.By.CallerOrganization, Request: r.By.RequestID}
}

// ListReceipts reads one page of receipts. issuer is one that a user may have besides those on record, such as that of the settings; "" = none.
func ListReceipts(ctx context.Context, store storage.Engine, issuer string, req ReceiptsRequest) (reply ReceiptsReply, err error) {
	q := storage.ReceiptQuery{Organization: req.Organization, Since: req.Since, Until: req.Until, After: req.After}
	if req.User != "" {
		if reply.Issuer = req.Issuer; req.Issuer == "" {
			if reply.Issuer, err = issuerOfReceipts(ctx, store, issuer, req.User); err != nil || reply.Issuer == "" {
				return reply, err
			}
		}
		q.User = storage.UserKey{Issuer: reply.Issuer, ID: req.User}
	}
	page, err := store.ListReceipts(ctx, q)
	for _, r := range page.Receipts {
		reply.Receipts = append(reply.Receipts, receiptOf(r))
	}
	reply.Next = page.Next
	return reply, refusedQuery(err)
}

// issuerOfReceipts finds the issuer whose user of an id has receipts, registered or not; "" = none has. Users who have ended are in no list, so
// the issuers are tried: they are few.
func issuerOfReceipts(ctx context.Context, store storage.Engine, besides, user string) (string, error) {
	if !ids.Valid(user) {
		return "", fmt.Errorf("%w: %q is no user id; expected 1 to 200 characters without control characters", ErrRefused, user)
	}
	issuers, err := issuersOf(store, besides)
	if err != nil {
		return "", err
	}
	var found []string
	for _, issuer := range issuers {
		has, err := hasReceipts(ctx, store, storage.UserKey{Issuer: issuer, ID: user})
		if err != nil {
			return "", refusedQuery(err)
		}
		if has {
			found = append(found, issuer)
		}
	}
	switch len(found) {
	case 0:
		return "", nil
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%w: %s; --issuer says whose user is meant", ErrRefused, sameIDOf(found))
}

// issuersOf returns the issuers of registered users, and one besides; "" = none.
func issuersOf(store storage.Engine, besides string) ([]string, error) {
	issuers, err := store.Issuers()
	if err == nil && besides != "" && !slices.Contains(issuers, besides) {
		issuers = append(issuers, besides)
	}
	return issuers, err
}

func hasReceipts(ctx context.Context, store storage.Store, user storage.UserKey) (bool, error) {
	for q := (storage.ReceiptQuery{User: user}); ; {
		page, err := store.ListReceipts(ctx, q)
		if err != nil || len(page.Receipts) > 0 || page.Next == "" {
			return len(page.Receipts) > 0, err
		}
		q.After = page.Next
	}
}

// refusedQuery makes an error for people of a query that the store does not take.
func refusedQuery(err error) error {
	if errors.Is(err, storage.ErrInvalid) {
		return fmt.Errorf("%w: the store does not take this query: %w", ErrRefused, err)
	}
	return err
}

// FindReceipt reads one receipt.
func FindReceipt(ctx context.Context, store storage.Store, req ReceiptRequest) (reply ReceiptReply, err error) {
	found, err := store.Receipt(ctx, req.Receipt)
	if errors.Is(err, storage.ErrReceiptNotFound) {
		return reply, nil
	}
	if err == nil {
		shown := receiptOf(found)
		reply.Receipt = &shown
	}
	return reply, err
}

// receipts serves POST /receipts.
func (a *Server) receipts(w http.ResponseWriter, r *http.Request) {
	lookUp(a, w, r, func(ctx context.Context, req ReceiptsRequest) (ReceiptsReply, error) {
		return ListReceipts(ctx, a.Store, a.Issuer, req)
	})
}

// receipt serves POST /receipts/one.
func (a *Server) receipt(w http.ResponseWriter, r *http.Request) {
	lookUp(a, w, r, func(ctx context.Context, req ReceiptRequest) (ReceiptReply, error) {
		return FindReceipt(ctx, a.Store, req)
	})
}

// lookUp is respond for what changes nothing: only failures are logged.
func lookUp[Request, Reply any](a *Server, w http.ResponseWriter, r *http.Request, do func(context.Context, Request) (Reply, error)) {
	respond(a, w, r, func(ctx context.Context, req Request) (Reply, error) {
		reply, err := do(ctx, req)
		if err != nil && !errors.Is(err, ErrRefused) {
			a.Logger.Warn("admin call failed", "path", r.URL.Path, "error", err)
		}
		return reply, err
	})
}
