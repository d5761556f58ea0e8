package storage

import "time"

// MaxPage is how many users or organisations a Store lists at once.
const MaxPage = 200

// UserQuery tells which users to list.
type UserQuery struct {
	// ID lists the users of one id, whoever their issuer is; "" = all.
	ID string
	// Organization lists those of one organisation; "" = all.
	Organization string
	// After goes on behind the user that a page ended with; zero = from the beginning.
	After UserKey
}

// UserPage is a part of a list. It holds at most MaxPage users, and may hold none although others follow.
type UserPage struct {
	Users []ListedUser
	// Next is what the next page goes on behind, zero at the end of the list.
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
