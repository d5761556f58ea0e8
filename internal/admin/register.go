package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
)

// CommandLine is the origin of changes that commands make, for the audit trail.
var CommandLine = storage.Origin{Caller: "command line"}

// AddOrganization registers an organisation and reports whether it was new.
func AddOrganization(ctx context.Context, store storage.Store, org string) (created bool, err error) {
	if !ids.Valid(org) {
		return false, fmt.Errorf("%w: %q is no organisation id; expected 1 to 200 characters without control characters", ErrRefused, org)
	}
	return store.AddOrganization(ctx, org, CommandLine)
}

// UserChange does something to a user's registration, and reports whether that changed anything. newOrg lets it register the
// organisation.
type UserChange func(ctx context.Context, store storage.Store, user storage.UserKey, org string, newOrg bool) (changed bool, err error)

func checkUserIDs(user storage.UserKey, org string) error {
	for _, id := range []string{user.ID, org} {
		if !ids.Valid(id) {
			return fmt.Errorf("%w: %q is no id; expected 1 to 200 characters without control characters", ErrRefused, id)
		}
	}
	return nil
}

// AddUser registers a user in an organisation and reports whether the user was new. The error is ErrRefused with a reason when the
// organisation is unknown, unless newOrg lets it be registered, or when the user belongs to another one.
func AddUser(ctx context.Context, store storage.Store, user storage.UserKey, org string, newOrg bool) (created bool, err error) {
	if err := checkUserIDs(user, org); err != nil {
		return false, err
	}
	if !newOrg {
		if err := checkOrganization(ctx, store, org, "; --new-org registers it"); err != nil {
			return false, err
		}
	}
	_, created, err = store.AddUser(ctx, user, org, CommandLine)
	if errors.Is(err, storage.ErrOtherOrganization) {
		return false, fmt.Errorf("%w: user %s belongs to another organisation; \"avatard user move\" moves somebody", ErrRefused, user.ID)
	}
	return created, err
}

// maxNamed is how many organisations or issuers a message names.
const maxNamed = 5

// checkOrganization refuses an organisation that is not registered, and says which are. advice, if any, is what else to do.
func checkOrganization(ctx context.Context, store storage.Store, org, advice string) error {
	known, err := store.HasOrganization(ctx, org)
	if err != nil || known {
		return err
	}
	page, err := store.ListOrganizations(ctx, "")
	if err != nil {
		return err
	}
	var ids []string
	for _, o := range page {
		ids = append(ids, o.ID)
	}
	return fmt.Errorf("%w: organisation %s is not registered (there %s)%s", ErrRefused, org, NamesOf(ids), advice)
}

// NamesOf names a few of several things.
func NamesOf(names []string) string {
	switch {
	case len(names) == 0:
		return "is none"
	case len(names) > maxNamed:
		return "are " + strings.Join(names[:maxNamed], ", ") + " and more"
	case len(names) == 1:
		return "is " + names[0]
	}
	return "are " + strings.Join(names, ", ")
}

// MoveUser puts a registered user into another organisation, which has to be registered, and reports whether that changed anything.
func MoveUser(ctx context.Context, store storage.Store, user storage.UserKey, org string, _ bool) (moved bool, err error) {
	if err := checkUserIDs(user, org); err != nil {
		return false, err
	}
	_, moved, err = store.MoveUser(ctx, user, org, CommandLine)
	switch {
	case errors.Is(err, storage.ErrOrganizationNotFound):
		if err := checkOrganization(ctx, store, org, `; "avatard org add" registers it`); err != nil {
			return false, err
		}
		return false, fmt.Errorf("%w: organisation %s was registered a moment ago; try again", ErrRefused, org)
	case errors.Is(err, storage.ErrUserNotFound):
		return false, fmt.Errorf("%w: the user is not registered; \"avatard user add\" registers somebody", ErrRefused)
	}
	return moved, err
}
