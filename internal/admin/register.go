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

// Admission says what a registration may do besides; the zero value nothing.
type Admission struct {
	// NewOrganization lets a user be added to an organisation that is not registered.
	NewOrganization bool `json:"new_organisation,omitempty"`
	// Readmits lifts the end of what is registered. It is for commands that register one user or one organisation on purpose.
	Readmits bool `json:"readmits,omitempty"`
}

func (a Admission) origin() storage.Origin {
	by := CommandLine
	by.Readmits = a.Readmits
	return by
}

// AddOrganization registers an organisation and reports whether it was new.
func AddOrganization(ctx context.Context, store storage.Store, org string, a Admission) (created bool, err error) {
	if err := checkOrganizationID(org); err != nil {
		return false, err
	}
	created, err = store.AddOrganization(ctx, org, a.origin())
	return created, endedRefusal(err, org)
}

func checkOrganizationID(org string) error {
	if !ids.Valid(org) {
		return fmt.Errorf("%w: %q is no organisation id; expected 1 to 200 characters without control characters", ErrRefused, org)
	}
	return nil
}

// endedRefusal says what else there is to do when something has ended. Other errors stay as they are.
func endedRefusal(err error, org string) error {
	switch {
	case errors.Is(err, storage.ErrUserEnded):
		return fmt.Errorf("%w: the user has ended; \"avatard user add\" registers them again", ErrRefused)
	case errors.Is(err, storage.ErrOrganizationEnded):
		return fmt.Errorf("%w: organisation %s has ended; \"avatard org add\" registers it again", ErrRefused, org)
	}
	return err
}

// UserChange does something to a user's registration, and reports whether that changed anything.
type UserChange func(ctx context.Context, store storage.Store, user storage.UserKey, org string, a Admission) (changed bool, err error)

func checkUserIDs(user storage.UserKey, org string) error {
	for _, id := range []string{user.ID, org} {
		if !ids.Valid(id) {
			return fmt.Errorf("%w: %q is no id; expected 1 to 200 characters without control characters", ErrRefused, id)
		}
	}
	return nil
}

// AddUser registers a user in an organisation and reports whether the user was new. The error is ErrRefused with a reason when the
// organisation is unknown, unless it may be registered, or has ended, when the user has ended and is not to be readmitted, or belongs to
// another one.
func AddUser(ctx context.Context, store storage.Store, user storage.UserKey, org string, a Admission) (created bool, err error) {
	if err := checkUserIDs(user, org); err != nil {
		return false, err
	}
	if !a.NewOrganization {
		if err := checkOrganization(ctx, store, org, "; --new-org registers it"); err != nil {
			return false, err
		}
	}
	_, created, err = store.AddUser(ctx, user, org, a.origin())
	if errors.Is(err, storage.ErrOtherOrganization) {
		return false, fmt.Errorf("%w: user %s belongs to another organisation; \"avatard user move\" moves somebody", ErrRefused, user.ID)
	}
	return created, endedRefusal(err, org)
}

// maxNamed is how many organisations or issuers a message names.
const maxNamed = 5

// checkOrganization refuses an organisation that is not registered, and says which are. advice, if any, is what else to do.
func checkOrganization(ctx context.Context, store storage.Store, org, advice string) error {
	state, err := store.OrganizationState(ctx, org)
	switch {
	case err != nil || state.On():
		return err
	case state.Refuses():
		return endedRefusal(storage.ErrOrganizationEnded, org)
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
func MoveUser(ctx context.Context, store storage.Store, user storage.UserKey, org string, _ Admission) (moved bool, err error) {
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
	return moved, endedRefusal(err, org)
}
