package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"avatard/internal/ids"
	"avatard/storage"
)

// userRemoval asks for a user to be removed.
type userRemoval struct {
	User string `json:"user"`
	// Issuer says whose id it is; "" = that of the only user with it.
	Issuer string `json:"issuer,omitempty"`
	// Organization is where the user has to be; "" = anywhere.
	Organization string `json:"organisation,omitempty"`
}

// userRemovalReply has one of both.
type userRemovalReply struct {
	Removed *removedUser `json:"removed,omitempty"`
	Kept    string       `json:"kept,omitempty"` // why nobody was removed, for the person at the command line
}

// removedUser is what --json prints of a user who is gone.
type removedUser struct {
	User         string `json:"user"`
	Issuer       string `json:"issuer"`
	Organization string `json:"organisation"`
	HadPicture   bool   `json:"had_picture"`
	Receipt      string `json:"receipt,omitempty"` // of the newest erasure, "" when nothing was ever erased
}

func (u removedUser) String() string {
	switch {
	case u.HadPicture:
		return fmt.Sprintf("user %s removed; the picture is erased, receipt %s", u.User, u.Receipt)
	case u.Receipt != "":
		return fmt.Sprintf("user %s removed; there was no picture any more, the last receipt is %s", u.User, u.Receipt)
	}
	return fmt.Sprintf("user %s removed; there was no picture", u.User)
}

// removals are the steps of a removal: calls to a running server, or the same on a store.
type removals interface {
	list(ctx context.Context, req listRequest) (listReply, error)
	removeUser(ctx context.Context, req userRemoval) (userRemovalReply, error)
	removeOrganization(ctx context.Context, req orgRemoval) (adminResponse, error)
}

// storeRemovals are the steps on a store.
type storeRemovals struct{ store storage.Store }

// removalsOf returns the steps on a store on which no server runs.
func removalsOf(store storage.Store) removals { return storeRemovals{store} }

func (r storeRemovals) list(ctx context.Context, req listRequest) (listReply, error) {
	return listPage(ctx, r.store, req)
}

func (r storeRemovals) removeUser(ctx context.Context, req userRemoval) (userRemovalReply, error) {
	return removeUser(ctx, r.store, req)
}

func (r storeRemovals) removeOrganization(ctx context.Context, req orgRemoval) (adminResponse, error) {
	return removeOrganization(ctx, r.store, req, nil)
}

// removeUser finds out who is meant and removes them. It returns when the picture is erased.
func removeUser(ctx context.Context, store storage.Store, req userRemoval) (reply userRemovalReply, err error) {
	found, err := usersOf(ctx, store, req)
	if err != nil {
		return reply, err
	}
	if len(found) != 1 {
		return userRemovalReply{Kept: notOneUser(found, req)}, nil
	}
	user, at := found[0], found[0].Details.Organization
	if req.Organization != "" && req.Organization != at {
		return userRemovalReply{Kept: fmt.Sprintf("the user belongs to organisation %s, not %s; nothing was removed", at, req.Organization)}, nil
	}
	res, err := store.RemoveUser(ctx, storage.Removal{User: user.User, Organization: at, By: commandLine})
	switch {
	case errors.Is(err, storage.ErrUserNotFound):
		return userRemovalReply{Kept: notOneUser(nil, req)}, nil // somebody else was faster
	case errors.Is(err, storage.ErrOtherOrganization):
		return userRemovalReply{Kept: "the user was moved a moment ago; nothing was removed"}, nil
	case errors.Is(err, storage.ErrUnavailable):
		return reply, fmt.Errorf("%w: not finished; the same command again goes on with it", err)
	case err != nil:
		return reply, err
	}
	return userRemovalReply{Removed: &removedUser{user.User.ID, user.User.Issuer, at, user.Generation != "", res.Receipt}}, nil
}

// usersOf lists who may be meant.
func usersOf(ctx context.Context, store storage.Store, req userRemoval) (found []storage.ListedUser, err error) {
	if !ids.Valid(req.User) {
		return nil, fmt.Errorf("%w: %q is no user id; expected 1 to 200 characters without control characters", errRefused, req.User)
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

func notOneUser(found []storage.ListedUser, req userRemoval) string {
	switch {
	case len(found) > 1:
		var issuers []string
		for _, u := range found {
			issuers = append(issuers, u.User.Issuer)
		}
		return fmt.Sprintf("there %s; --issuer says whose user is meant", strings.Replace(namesOf(issuers), "are ", "are users of that id of the issuers ", 1))
	case req.Issuer != "":
		return fmt.Sprintf("not registered with the issuer %s; \"avatard user show\" lists the users of an id", req.Issuer)
	}
	return `not registered; "avatard user list" lists who is`
}

// userRemoval serves POST /removals.
func (a *admin) userRemoval(w http.ResponseWriter, r *http.Request) {
	respond(a, w, r, func(ctx context.Context, req userRemoval) (userRemovalReply, error) {
		reply, err := removeUser(ctx, a.store, req)
		logAdmin(a.logger.With("path", r.URL.Path, "organisation", req.Organization, "user", req.User), reply.Removed != nil, err)
		return reply, err
	})
}

// orgRemoval asks for an organisation without users to be removed, or whether it may be.
type orgRemoval struct {
	Organization string `json:"organisation"`
	Check        bool   `json:"check,omitempty"`
}

// checkNotConfigured refuses what would be back after the next start.
func checkNotConfigured(configured []string, org string) error {
	if !slices.Contains(configured, org) {
		return nil
	}
	return fmt.Errorf("%w: each start of the server registers it again; take it out of the settings organisations and default_organisation, and restart the server, first", errRefused)
}

// removeOrganization removes an organisation that has no users, or says whether it may be removed. configured are those that may not.
func removeOrganization(ctx context.Context, store storage.Store, req orgRemoval, configured []string) (reply adminResponse, err error) {
	if !ids.Valid(req.Organization) {
		return reply, fmt.Errorf("%w: %q is no organisation id; expected 1 to 200 characters without control characters", errRefused, req.Organization)
	}
	if err := checkNotConfigured(configured, req.Organization); err != nil {
		return reply, err
	}
	if req.Check {
		err = checkOrganization(ctx, store, req.Organization, "")
		return adminResponse{Created: err == nil}, err
	}
	removed, err := store.RemoveOrganization(ctx, req.Organization, commandLine)
	if errors.Is(err, storage.ErrOrganizationInUse) {
		return reply, fmt.Errorf("%w: users were registered in it meanwhile; the same command again removes them, too", errRefused)
	}
	return adminResponse{Created: removed}, err
}

// orgRemoval serves POST /removals/org.
func (a *admin) orgRemoval(w http.ResponseWriter, r *http.Request) {
	respond(a, w, r, func(ctx context.Context, req orgRemoval) (adminResponse, error) {
		reply, err := removeOrganization(ctx, a.store, req, a.configured)
		if err != nil || !req.Check {
			logAdmin(a.logger.With("path", r.URL.Path, "organisation", req.Organization), reply.Created, err)
		}
		return reply, err
	})
}
