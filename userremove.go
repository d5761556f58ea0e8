package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"strings"

	"avatard/internal/ids"
	"avatard/storage"
)

// userRemoveFlags are the flags of user remove.
type userRemoveFlags struct {
	*configFlags
	json bool
	org  string
}

func newUserRemoveFlags(fs *flag.FlagSet) *userRemoveFlags {
	f := &userRemoveFlags{configFlags: addConfigFlags(fs, "data", "issuer")}
	fs.BoolVar(&f.json, "json", false, "print what was removed as JSON")
	fs.StringVar(&f.org, "org", "", "remove the user only if they belong to `ORG`")
	return f
}

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

func runUserRemove(ctx context.Context, inv *invocation, args []string) error {
	fs := newFlagSet("user remove")
	flags := newUserRemoveFlags(fs)
	words, err := parseFlags(fs, args)
	if err != nil {
		return err
	}
	if len(words) != 1 {
		return usagef("user remove takes one user id")
	}
	req := userRemoval{User: words[0], Organization: flags.org}
	if !ids.Valid(req.User) {
		return usagef("%q is no user id; expected 1 to 200 characters without control characters", req.User)
	}
	if req.Organization != "" && !ids.Valid(req.Organization) {
		return usagef("%q is no organisation id; expected 1 to 200 characters without control characters", req.Organization)
	}
	if given := flags.values["issuer"].text; given != nil {
		req.Issuer = *given // that of file or environment may not be the mistyped one that is to go
	}
	cfg, err := readConfig(inv.environ, flags.configFlags, "data")
	if err != nil {
		return err
	}
	var reply userRemovalReply
	err = withRemovals(ctx, cfg.Data, func(calls removalCalls) (err error) {
		reply, err = calls.user(ctx, req)
		return err
	})
	if err == nil && reply.Removed == nil {
		err = errors.New(reply.Kept)
	}
	if err != nil {
		return fmt.Errorf("user %s: %w", req.User, err)
	}
	return printRemoved(inv, flags.json, reply.Removed)
}

func printRemoved(inv *invocation, asJSON bool, removed fmt.Stringer) (err error) {
	if asJSON {
		return json.NewEncoder(inv.stdout).Encode(removed)
	}
	_, err = fmt.Fprintln(inv.stdout, removed)
	return err
}

// removalCalls are the steps of a removal: calls to a running server, or the same on a store.
type removalCalls struct {
	list func(context.Context, listRequest) (listReply, error)
	user func(context.Context, userRemoval) (userRemovalReply, error)
	org  func(context.Context, orgRemoval) (adminResponse, error)
}

// withRemovals does something through the server on a data directory, or on its store when the first call finds no server.
func withRemovals(ctx context.Context, dir string, do func(removalCalls) error) error {
	err := do(removalCalls{
		list: func(ctx context.Context, req listRequest) (reply listReply, err error) {
			return reply, exchange(ctx, dir, "/lists", req, &reply, maxListBytes)
		},
		user: func(ctx context.Context, req userRemoval) (reply userRemovalReply, err error) {
			return reply, exchange(ctx, dir, "/removals", req, &reply, maxAdminBytes)
		},
		org: func(ctx context.Context, req orgRemoval) (reply adminResponse, err error) {
			return reply, exchange(ctx, dir, "/removals/org", req, &reply, maxAdminBytes)
		},
	})
	if !errors.Is(err, errNoServer) {
		return err
	}
	if err := hasDatabase(dir); err != nil {
		return err
	}
	_, err = withStore(ctx, dir, func(store storage.Store) (bool, error) { return false, do(removalsOf(store)) })
	return err
}

// removalsOf are the steps on a store.
func removalsOf(store storage.Store) removalCalls {
	return removalCalls{
		list: func(ctx context.Context, req listRequest) (listReply, error) { return listPage(ctx, store, req) },
		user: func(ctx context.Context, req userRemoval) (userRemovalReply, error) {
			return removeUser(ctx, store, req)
		},
		org: func(ctx context.Context, req orgRemoval) (adminResponse, error) {
			return removeOrganization(ctx, store, req, nil)
		},
	}
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
