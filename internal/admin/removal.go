package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
	// DryRun says who would be removed, and changes nothing.
	DryRun bool `json:"dry_run,omitempty"`
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
	Receipt      string `json:"receipt,omitempty"`       // of the newest erasure, "" when nothing was ever erased, and in a dry run
	DryRun       bool   `json:"dry_run,omitempty"`       // nothing was changed
	AlreadyEnded bool   `json:"already_ended,omitempty"` // nothing was left to change
}

func (u RemovedUser) String() string {
	switch {
	case u.DryRun && u.HadPicture:
		return fmt.Sprintf("user %s of organisation %s would be removed, and the picture erased; nothing was changed", u.User, u.Organization)
	case u.DryRun:
		return fmt.Sprintf("user %s of organisation %s would be removed; there is no picture; nothing was changed", u.User, u.Organization)
	case u.AlreadyEnded && u.Receipt != "":
		return fmt.Sprintf("user %s has ended already; the last receipt is %s", u.User, u.Receipt)
	case u.AlreadyEnded:
		return fmt.Sprintf("user %s has ended already; there is no receipt", u.User)
	case u.HadPicture:
		return fmt.Sprintf("user %s removed; the picture is erased, receipt %s", u.User, u.Receipt)
	case u.Receipt != "":
		return fmt.Sprintf("user %s removed; there was no picture any more, the last receipt is %s", u.User, u.Receipt)
	}
	return fmt.Sprintf("user %s removed; there was no picture", u.User)
}

// RemoveUser ends the user that a request describes. It returns when the picture is erased. Where that user has ended already it changes
// nothing and says so, with their newest receipt; a dry run knows nothing of them. issuer is one that they may have besides those of registered
// users, such as that of the settings; "" = none.
func RemoveUser(ctx context.Context, store storage.Engine, issuer string, req UserRemoval) (reply UserRemovalReply, err error) {
	found, err := usersOf(ctx, store, req)
	if err != nil {
		return reply, err
	}
	if len(found) == 0 && !req.DryRun {
		return removeEnded(ctx, store, issuer, req)
	}
	if len(found) != 1 {
		return UserRemovalReply{Kept: notOneUser(found, req)}, nil
	}
	user, at := found[0], found[0].Details.Organization
	if req.Organization != "" && req.Organization != at {
		return UserRemovalReply{Kept: fmt.Sprintf("the user belongs to organisation %s, not %s; nothing was removed", at, req.Organization)}, nil
	}
	removed := RemovedUser{User: user.User.ID, Issuer: user.User.Issuer, Organization: at, HadPicture: user.Generation != "", DryRun: req.DryRun}
	if req.DryRun {
		return UserRemovalReply{Removed: &removed}, nil
	}
	res, err := store.EraseUser(ctx, storage.Removal{User: user.User, Organization: at, By: CommandLine})
	switch {
	case errors.Is(err, storage.ErrUserNotFound):
		return UserRemovalReply{Kept: notOneUser(nil, req)}, nil // somebody else was faster
	case errors.Is(err, storage.ErrOtherOrganization):
		return UserRemovalReply{Kept: "the user was moved a moment ago; nothing was removed"}, nil
	case err != nil:
		return reply, unfinished(err)
	}
	removed.Receipt = res.Receipt
	return UserRemovalReply{Removed: &removed}, nil
}

// removeEnded answers for a user who is not registered and may have ended. No list has those who ended, so the issuers are tried unless the
// request names one: they are few, and erasing somebody who has ended changes nothing.
func removeEnded(ctx context.Context, store storage.Engine, besides string, req UserRemoval) (reply UserRemovalReply, err error) {
	issuers := []string{req.Issuer}
	if req.Issuer == "" {
		if issuers, err = issuersOf(store, besides); err != nil {
			return reply, err
		}
	}
	var ended []string
	for _, issuer := range issuers {
		user := storage.UserKey{Issuer: issuer, ID: req.User}
		res, err := store.EraseUser(ctx, storage.Removal{User: user, Organization: req.Organization, AnyOrganization: req.Organization == "", By: CommandLine})
		switch {
		case errors.Is(err, storage.ErrUserNotFound):
			continue
		case err != nil:
			return reply, unfinished(err)
		}
		ended = append(ended, issuer)
		reply.Removed = &RemovedUser{User: user.ID, Issuer: issuer, Organization: res.Details.Organization, Receipt: res.Receipt, AlreadyEnded: true}
	}
	switch len(ended) {
	case 0:
		return UserRemovalReply{Kept: notOneUser(nil, req)}, nil
	case 1:
		return reply, nil
	}
	return UserRemovalReply{Kept: sameIDOf(ended) + ", all of whom have ended already; --issuer shows the receipt of one"}, nil
}

// unfinished says of an erasure that could not be finished how to go on with it.
func unfinished(err error) error {
	if errors.Is(err, storage.ErrUnavailable) {
		return fmt.Errorf("%w: not finished; the same command again goes on with it", err)
	}
	return err
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
		return sameIDOf(issuers) + "; --issuer says whose user is meant"
	case req.Issuer != "":
		return fmt.Sprintf("not registered with the issuer %s; \"avatard user show\" lists the users of an id", req.Issuer)
	}
	return `not registered; "avatard user list" lists who is, and --issuer finds who has ended if nobody else of the issuer is left`
}

// sameIDOf says that users of several issuers have an id.
func sameIDOf(issuers []string) string {
	return "there " + strings.Replace(NamesOf(issuers), "are ", "are users of that id of the issuers ", 1)
}

// userRemoval serves POST /erasures/user.
func (a *Server) userRemoval(w http.ResponseWriter, r *http.Request) {
	respond(a, w, r, func(ctx context.Context, req UserRemoval) (UserRemovalReply, error) {
		reply, err := RemoveUser(ctx, a.Store, a.Issuer, req)
		logCall(a.Logger.With("path", r.URL.Path, "organisation", req.Organization, "user", req.User), reply.Removed != nil && !req.DryRun, err)
		return reply, err
	})
}
