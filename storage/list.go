package storage

import "time"

// MaxPage is how many users or organisations a Store lists at once.
const MaxPage = 200

// UserQuery chooses the users of a list.
type UserQuery struct {
	// ID lists the users of one id, of all issuers; "" = all.
	ID string
	// Organization lists those of one organisation; "" = all.
	Organization string
	// After is the Next of the page before; zero = from the beginning.
	After UserKey
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
}
