package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"example.org/avatard/storage"
)

// maxListBytes bounds one page: each of its texts may be escaped to six times its length.
const maxListBytes = 16 << 20

// ListRequest asks for one page of a list.
type ListRequest struct {
	Organizations bool              `json:"organisations"` // else users
	Query         storage.UserQuery `json:"query"`
}

// ListReply is one page.
type ListReply struct {
	Users         []User         `json:"users,omitempty"`
	Organizations []Organization `json:"organisations,omitempty"`
	// Next is what the next page goes on behind, nil at the end.
	Next *storage.UserKey `json:"next,omitempty"`
}

// User is a user as --json prints it.
type User struct {
	User         string    `json:"user"`
	Issuer       string    `json:"issuer"`
	Organization string    `json:"organisation"`
	Created      time.Time `json:"created"`
	Changed      time.Time `json:"changed"`
	Sequence     uint64    `json:"sequence"`
	Picture      *Picture  `json:"picture"` // null = none
}

// Picture is a user's picture as --json prints it.
type Picture struct {
	ID        string `json:"id"`
	MediaType string `json:"media_type"`
	Bytes     int64  `json:"bytes"`
}

// Organization is an organisation as --json prints it.
type Organization struct {
	Organization string    `json:"organisation"`
	Created      time.Time `json:"created"`
	Ending       bool      `json:"ending,omitempty"` // it takes no new users, and those it has are being erased
}

func (u User) String() string {
	picture := "no picture"
	if p := u.Picture; p != nil {
		picture = fmt.Sprintf("%s of %d bytes", p.MediaType, p.Bytes)
	}
	return fmt.Sprintf("%s  organisation %s  issuer %s  changed %s  %s", u.User, u.Organization, u.Issuer, u.Changed.Format(time.RFC3339), picture)
}

func (o Organization) String() string {
	ending := ""
	if o.Ending {
		ending = "  is ending"
	}
	return fmt.Sprintf("%s  created %s%s", o.Organization, o.Created.Format(time.RFC3339), ending)
}

// ListPage reads one page of a list.
func ListPage(ctx context.Context, store storage.Store, req ListRequest) (reply ListReply, err error) {
	if req.Organizations {
		page, err := store.ListOrganizations(ctx, req.Query.After.ID)
		for _, o := range page {
			reply.Organizations = append(reply.Organizations, Organization{o.ID, o.CreationDate, o.Ending})
		}
		if len(page) == storage.MaxPage {
			reply.Next = &storage.UserKey{ID: page[len(page)-1].ID}
		}
		return reply, err
	}
	if org := req.Query.Organization; org != "" {
		if err := checkOrganization(ctx, store, org, ""); err != nil {
			return reply, err
		}
	}
	page, err := store.ListUsers(ctx, req.Query)
	for _, u := range page.Users {
		shown := User{User: u.User.ID, Issuer: u.User.Issuer, Organization: u.Details.Organization, Created: u.Details.CreationDate,
			Changed: u.Details.ChangeDate, Sequence: u.Details.Sequence}
		if u.Generation != "" {
			shown.Picture = &Picture{u.Generation, u.Format.MediaType(), u.Size}
		}
		reply.Users = append(reply.Users, shown)
	}
	if page.Next != (storage.UserKey{}) {
		reply.Next = &page.Next
	}
	return reply, err
}

// list serves POST /lists.
func (a *Server) list(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	var req ListRequest
	if !readRequest(w, r, &req) {
		return
	}
	reply, err := ListPage(ctx, a.Store, req)
	if errors.Is(err, ErrRefused) {
		writeJSON(w, http.StatusConflict, Response{Error: err.Error()})
		return
	}
	if err != nil {
		a.Logger.Warn("admin call failed", "path", r.URL.Path, "error", err)
		writeJSON(w, http.StatusServiceUnavailable, Response{Error: "the store is not available now; try again"})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(reply) // the client is gone when this fails
}
