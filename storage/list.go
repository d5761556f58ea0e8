package storage

import (
	"context"
	"time"
)

// MaxPage is how many users, organisations, receipts or records of the trail a Store lists at once.
const MaxPage = 200

// Lister lists what is on record, page by page. Each page is as the store was at one moment, and costs no more than a bounded number of
// rows, whatever there is: a page may therefore hold little, or nothing, although others follow. ErrInvalid for a text of a query that is
// neither empty nor one that a record could have.
//
// A page of users, organisations or receipts has the effect of every change that returned before the page was asked for; a receipt is
// there as soon as it was returned. A page of the trail has it, too, unless a change that began earlier is still under way.
type Lister interface {
	// ListUsers lists registered users in the order of their ids.
	ListUsers(ctx context.Context, q UserQuery) (UserPage, error)

	// ListOrganizations lists at most MaxPage registered organisations in the order of their ids, those behind the id after; "" = from the
	// beginning. When there are fewer than MaxPage, no more follow.
	ListOrganizations(ctx context.Context, after string) ([]ListedOrganization, error)

	// ListReceipts lists receipts of finished erasures, the newest first.
	ListReceipts(ctx context.Context, q ReceiptQuery) (ReceiptPage, error)

	// Receipt returns one receipt of a finished erasure. ErrReceiptNotFound when there is none of that id; any text is taken as one.
	Receipt(ctx context.Context, id string) (Receipt, error)

	// ListAudit lists the trail, the oldest records first.
	ListAudit(ctx context.Context, q AuditQuery) (AuditPage, error)
}

// UserQuery chooses the users of a list.
type UserQuery struct {
	// ID lists the users of one id, of all issuers; "" = all.
	ID string
	// Organization lists those of one organisation; "" = all.
	Organization string
	// Picture lists those with or without a picture; "" = both.
	Picture PictureFilter
	// After is the Next of the page before, or any other user: the list goes on behind them; zero = from the beginning.
	After UserKey
}

// PictureFilter chooses users by their pictures.
type PictureFilter string

// The picture filters.
const (
	AnyUsers       PictureFilter = ""
	WithPicture    PictureFilter = "with"
	WithoutPicture PictureFilter = "without"
)

// Admits reports whether the filter takes a user.
func (f PictureFilter) Admits(i Info) bool {
	return f == AnyUsers || (f == WithPicture) == (i.Generation != "")
}

// Valid reports whether a Store takes the filter.
func (f PictureFilter) Valid() bool { return f == AnyUsers || f == WithPicture || f == WithoutPicture }

// Valid reports whether a Store takes the query.
func (q UserQuery) Valid() bool {
	return validTexts(q.ID, q.Organization, q.After.ID, q.After.Issuer) && q.Picture.Valid()
}

// UserPage is a part of a list. It holds at most MaxPage users, and may hold none although others follow.
type UserPage struct {
	Users []ListedUser
	// Next is the After of the next page, zero at the end of the list.
	Next UserKey
}

// ListedUser is a user in a list.
type ListedUser struct {
	User UserKey
	Info
}

// ListedOrganization is an organisation in a list.
type ListedOrganization struct {
	ID           string
	CreationDate time.Time
	// Ending: the organisation takes no new users, and those it has are being erased.
	Ending bool
}

// validTexts reports whether each text is empty or a ValidText.
func validTexts(texts ...string) bool {
	for _, text := range texts {
		if text != "" && !ValidText(text) {
			return false
		}
	}
	return true
}
