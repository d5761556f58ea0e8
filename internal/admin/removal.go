package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
)

// UserRemoval asks for a user to be removed.
type UserRemoval struct {
	User string `json:"user"`
	// Issuer says whose id it is; "" = that of the only user with it.
	Issuer string `json:"issuer,omitempty"`
	// Organization is where the user has to be; "" = anywhere.
	Organization string `json:"organisation,omitempty"`
}

// UserRemovalReply has one of both.
type UserRemovalReply struct {
	Removed *RemovedUser `json:"removed,omitempty"`
	Kept    string       `json:"kept,omitempty"` // why nobody was removed, for the person at the command line
}

// RemovedUser is what --json prints of a user who is gone.
type RemovedUser struct {
	User         string `json:"user"`
	Issuer       string `json:"issuer"`
	Organization string `json:"organisation"`
	HadPicture   bool   `json:"had_picture"`
	Receipt      string `json:"receipt,omitempty"` // of the newest erasure, "" when nothing was ever erased
}

func (u RemovedUser) String() string {
	switch {
	case u.HadPicture:
		return fmt.Sprintf("user %s removed; the picture is erased, receipt %s", u.User, u.Receipt)
	case u.Receipt != "":
		return fmt.Sprintf("user %s removed; there was no picture any more, the last receipt is %s", u.User, u.Receipt)
	}
	return fmt.Sprintf("user %s removed; there was no picture", u.User)
}

// Removals are the steps of a removal: calls to a running server, or the same on a store.
type Removals interface {
	List(ctx context.Context, req ListRequest) (ListReply, error)
	RemoveUser(ctx context.Context, req UserRemoval) (UserRemovalReply, error)
	RemoveOrganization(ctx context.Context, req OrganizationRemoval) (Response, error)
}

// storeRemovals are the steps on a store.
type storeRemovals struct{ store storage.Store }

// RemovalsOf returns the steps on a store on which no server runs.
func RemovalsOf(store storage.Store) Removals { return storeRemovals{store} }

func (r storeRemovals) List(ctx context.Context, req ListRequest) (ListReply, error) {
	return ListPage(ctx, r.store, req)
}

func (r storeRemovals) RemoveUser(ctx context.Context, req UserRemoval) (UserRemovalReply, error) {
	return RemoveUser(ctx, r.store, req)
}

func (r storeRemovals) RemoveOrganization(ctx context.Context, req OrganizationRemoval) (Response, error) {
	return RemoveOrganization(ctx, r.store, req, nil)
}

// RemoveUser removes the user that a request describes. It returns when the picture is erased.
func RemoveUser(ctx context.Context, store storage.Store, req UserRemoval) (reply UserRemovalReply, err error) {
	found, err := usersOf(ctx, store, req)
	if err != nil {
		return reply, err
	}
	if len(found) != 1 {
		return UserRemovalReply{Kept: notOneUser(found, req)}, nil
	}
	user, at := found[0], found[0].Details.Organization
	if req.Organization != "" && req.Organization != at {
		return UserRemovalReply{Kept: fmt.Sprintf("the user belongs to organisation %s, not %s; nothing was removed", at, req.Organization)}, nil
	}
	res, err := store.RemoveUser(ctx, storage.Removal{User: user.User, Organization: at, By: CommandLine})
	switch {
	case errors.Is(err, storage.ErrUserNotFound):
		return UserRemovalReply{Kept: notOneUser(nil, req)}, nil // somebody else was faster
	case errors.Is(err, storage.ErrOtherOrganization):
		return UserRemovalReply{Kept: "the user was moved a moment ago; nothing was removed"}, nil
	case errors.Is(err, storage.ErrUnavailable):
		return reply, fmt.Errorf("%w: not finished; the same command again goes on with it", err)
	case err != nil:
		return reply, err
	}
	return UserRemovalReply{Removed: &RemovedUser{user.User.ID, user.User.Issuer, at, user.Generation != "", res.Receipt}}, nil
}

// usersOf lists the users that a request may mean: those of its id and, where it names one, its issuer.
func usersOf(ctx context.Context, store storage.Store, req UserRemoval) (found []storage.ListedUser, err error) {
	if !ids.Valid(req.User) {
		return nil, fmt.Errorf("%w: %q is no user id; expected 1 to 200 characters without control characters", ErrRefused, req.User)
	}
	query := storage.UserQuery{ID: req.User}
	for {
		page, err := store.ListUsers(ctx, query)
		if err != nil {
			return nil, err
		}
		for _, u := range page.Users {
			if req.Issuer == "" || req.Issuer == u.User.Issuer {
				found = append(found, u)
			}
		}
		if page.Next == (storage.UserKey{}) {
			return found, nil
		}
		query.After = page.Next
	}
}

func notOneUser(found []storage.ListedUser, req UserRemoval) string {
	switch {
	case len(found) > 1:
		var issuers []string
		for _, u := range found {
			issuers = append(issuers, u.User.Issuer)
		}
		return fmt.Sprintf("there %s; --issuer says whose user is meant", strings.Replace(NamesOf(issuers), "are ", "are users of that id of the issuers ", 1))
	case req.Issuer != "":
		return fmt.Sprintf("not registered with the issuer %s; \"avatard user show\" lists the users of an id", req.Issuer)
	}
	return `not registered; "avatard user list" lists who is`
}

// userRemoval serves POST /removals.
func (a *Server) userRemoval(w http.ResponseWriter, r *http.Request) {
	respond(a, w, r, func(ctx context.Context, req UserRemoval) (UserRemovalReply, error) {
		reply, err := RemoveUser(ctx, a.Store, req)
		logCall(a.Logger.With("path", r.URL.Path, "organisation", req.Organization, "user", req.User), reply.Removed != nil, err)
		return reply, err
	})
}

// OrganizationRemoval asks for an organisation without users to be removed, or whether it may be.
type OrganizationRemoval struct {
	Organization string `json:"organisation"`
	Check        bool   `json:"check,omitempty"`
}

// CheckNotConfigured refuses what would be back after the next start.
func CheckNotConfigured(configured []string, org string) error {
	if !slices.Contains(configured, org) {
		return nil
	}
	return fmt.Errorf("%w: each start of the server registers it again; take it out of the settings organisations and default_organisation, and restart the server, first", ErrRefused)
}

// RemoveOrganization removes an organisation that has no users, or says whether it may be removed. configured are those that may not.
func RemoveOrganization(ctx context.Context, store storage.Store, req OrganizationRemoval, configured []string) (reply Response, err error) {
	if !ids.Valid(req.Organization) {
		return reply, fmt.Errorf("%w: %q is no organisation id; expected 1 to 200 characters without control characters", ErrRefused, req.Organization)
	}
	if err := CheckNotConfigured(configured, req.Organization); err != nil {
		return reply, err
	}
	if req.Check {
		err = checkOrganization(ctx, store, req.Organization, "")
		return Response{Created: err == nil}, err
	}
	removed, err := store.RemoveOrganization(ctx, req.Organization, CommandLine)
	if errors.Is(err, storage.ErrOrganizationInUse) {
		return reply, fmt.Errorf("%w: users were registered in it meanwhile; the same command again removes them, too", ErrRefused)
	}
	return Response{Created: removed}, err
}

// OrganizationRemoval serves POST /removals/org.
func (a *Server) orgRemoval(w http.ResponseWriter, r *http.Request) {
	respond(a, w, r, func(ctx context.Context, req OrganizationRemoval) (Response, error) {
		reply, err := RemoveOrganization(ctx, a.Store, req, a.Configured)
		if err != nil || !req.Check {
			logCall(a.Logger.With("path", r.URL.Path, "organisation", req.Organization), reply.Created, err)
		}
		return reply, err
	})
}
