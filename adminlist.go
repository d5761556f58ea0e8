package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"avatard/storage"
)

// maxListBytes bounds one page: each of its texts may be escaped to six times its length.
const maxListBytes = 16 << 20

// listRequest asks for one page of a list.
type listRequest struct {
	Organizations bool              `json:"organisations"` // else users
	Query         storage.UserQuery `json:"query"`
}

// listReply is one page.
type listReply struct {
	Users         []shownUser         `json:"users,omitempty"`
	Organizations []shownOrganization `json:"organisations,omitempty"`
	// Next is what the next page goes on behind, nil at the end.
	Next *storage.UserKey `json:"next,omitempty"`
}

// shownUser is a user as --json prints it.
type shownUser struct {
	User         string        `json:"user"`
	Issuer       string        `json:"issuer"`
	Organization string        `json:"organisation"`
	Created      time.Time     `json:"created"`
	Changed      time.Time     `json:"changed"`
	Sequence     uint64        `json:"sequence"`
	Picture      *shownPicture `json:"picture"` // null = none
}

type shownPicture struct {
	ID        string `json:"id"`
	MediaType string `json:"media_type"`
	Bytes     int64  `json:"bytes"`
}

// shownOrganization is an organisation as --json prints it.
type shownOrganization struct {
	Organization string    `json:"organisation"`
	Created      time.Time `json:"created"`
}

func (u shownUser) String() string {
	picture := "no picture"
	if p := u.Picture; p != nil {
		picture = fmt.Sprintf("%s of %d bytes", p.MediaType, p.Bytes)
	}
	return fmt.Sprintf("%s  organisation %s  issuer %s  changed %s  %s", u.User, u.Organization, u.Issuer, u.Changed.Format(time.RFC3339), picture)
}

func (o shownOrganization) String() string {
	return fmt.Sprintf("%s  created %s", o.Organization, o.Created.Format(time.RFC3339))
}

// listPage reads one page of a list.
func listPage(ctx context.Context, store storage.Store, req listRequest) (reply listReply, err error) {
	if req.Organizations {
		page, err := store.ListOrganizations(ctx, req.Query.After.ID)
		for _, o := range page {
			reply.Organizations = append(reply.Organizations, shownOrganization{o.ID, o.CreationDate})
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
		shown := shownUser{User: u.User.ID, Issuer: u.User.Issuer, Organization: u.Details.Organization, Created: u.Details.CreationDate,
			Changed: u.Details.ChangeDate, Sequence: u.Details.Sequence}
		if u.Generation != "" {
			shown.Picture = &shownPicture{u.Generation, u.Format.MediaType(), u.Size}
		}
		reply.Users = append(reply.Users, shown)
	}
	if page.Next != (storage.UserKey{}) {
		reply.Next = &page.Next
	}
	return reply, err
}

// list serves POST /lists.
func (a *admin) list(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), adminTimeout)
	defer cancel()
	var req listRequest
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAdminBytes))
	body.DisallowUnknownFields()
	if err := body.Decode(&req); err != nil {
		writeAdmin(w, http.StatusBadRequest, adminResponse{Error: "the request is not what this server understands; is the command of another version?"})
		return
	}
	reply, err := listPage(ctx, a.store, req)
	if errors.Is(err, errRefused) {
		writeAdmin(w, http.StatusConflict, adminResponse{Error: err.Error()})
		return
	}
	if err != nil {
		a.logger.Warn("admin call failed", "path", r.URL.Path, "error", err)
		writeAdmin(w, http.StatusServiceUnavailable, adminResponse{Error: "the store is not available now; try again"})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(reply) // the client is gone when this fails
}
