package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/config"
	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
)

// onPurpose is how commands register that name one user or one organisation: they lift its end.
var onPurpose = admin.Admission{Readmits: true}

// orgAddCommand is "org add".
type orgAddCommand struct {
	settingFlags
	Org string `arg:"" name:"ORG" help:"id of the organisation"`
}

func (flags *orgAddCommand) Run(ctx context.Context, inv *Program) error {
	org := flags.Org
	if !ids.Valid(org) {
		return usagef("%q is no organisation id; expected 1 to 200 characters without control characters", org)
	}
	cfg, err := config.Read(inv.Environ, flags.Flags, "data")
	if err != nil {
		return err
	}
	place := inv.placeOf(cfg)
	created, err := serverOf(place).AddOrganization(ctx, org, onPurpose)
	if errors.Is(err, admin.ErrNoServer) {
		err = withStore(ctx, place, true, func(store storage.Engine) (err error) {
			created, err = admin.AddOrganization(ctx, store, org, onPurpose)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("organisation %s: %w", org, err)
	}
	_, err = fmt.Fprintf(inv.Stdout, "organisation %s %s\n", org, addedOr(created))
	return err
}

// userFlags name a user and an organisation.
type userFlags struct {
	settingFlags
	User string `arg:"" name:"USER" help:"id of the user"`
	Org  string `required:"" placeholder:"ORG" help:"organisation that the user belongs to, or is to"`
}

// userAddCommand is "user add".
type userAddCommand struct {
	userFlags
	NewOrg    bool `help:"register ORG too, if it is not yet"`
	NewIssuer bool `help:"register a user of an issuer that nobody on record has"`
}

// userMoveCommand is "user move".
type userMoveCommand struct{ userFlags }

// Run registers a user, through the running server where there is one.
func (flags *userAddCommand) Run(ctx context.Context, inv *Program) error {
	admission := onPurpose
	admission.NewOrganization = flags.NewOrg
	return flags.change(ctx, inv, userChange{ask: admin.Client.AddUser, do: admin.AddUser, admission: admission, newIssuer: flags.NewIssuer, done: addedOr})
}

// Run moves a user, through the running server where there is one.
func (flags *userMoveCommand) Run(ctx context.Context, inv *Program) error {
	return flags.change(ctx, inv, userChange{ask: admin.Client.MoveUser, do: admin.MoveUser, existing: true, done: func(moved bool) string {
		if moved {
			return "moved"
		}
		return "already there"
	}})
}

// userChange is what a command does to one user's registration.
type userChange struct {
	ask       func(admin.Client, context.Context, admin.Request) (bool, error) // through a server
	do        admin.UserChange                                                 // without one
	admission admin.Admission
	newIssuer bool                      // the issuer may be new
	existing  bool                      // there has to be data
	done      func(changed bool) string // what to print
}

func (flags *userFlags) change(ctx context.Context, inv *Program, change userChange) error {
	user := flags.User
	switch {
	case !ids.Valid(user):
		return usagef("%q is no user id; expected 1 to 200 characters without control characters", user)
	case !ids.Valid(flags.Org):
		return usagef("%q is no organisation id; expected 1 to 200 characters without control characters", flags.Org)
	}
	cfg, err := config.Read(inv.Environ, flags.Flags, "data")
	if err != nil {
		return err
	}
	req := admin.Request{Organization: flags.Org, User: user, Admission: change.admission}
	if given, ok := flags.Given("issuer"); ok {
		req.Issuer = given // an issuer from file or environment may be meant for another server
	}
	changed, err := change.ask(serverOf(inv.placeOf(cfg)), ctx, req)
	if errors.Is(err, admin.ErrNoServer) {
		// Without a server only the configuration can tell whose id this is.
		if cfg, err = config.Read(inv.Environ, flags.Flags, "data", "issuer"); err != nil {
			return err
		}
		err = withStore(ctx, inv.placeOf(cfg), !change.existing, func(store storage.Engine) (err error) {
			if !change.newIssuer {
				if err := checkIssuer(store, cfg.Issuer); err != nil {
					return err
				}
			}
			changed, err = change.do(ctx, store, storage.UserKey{Issuer: cfg.Issuer, ID: user}, flags.Org, change.admission)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("user %s: %w", user, err)
	}
	_, err = fmt.Fprintf(inv.Stdout, "user %s %s\n", user, change.done(changed))
	return err
}

// checkIssuer refuses an issuer that none of the users on record has, unless there are none at all. With a running server this check
// is not needed, because the server's issuer is right.
func checkIssuer(store storage.Keeper, issuer string) error {
	known, err := store.Issuers()
	if err != nil {
		return err
	}
	if len(known) == 0 || slices.Contains(known, issuer) {
		return nil
	}
	return fmt.Errorf("%w: nobody on record has the issuer %s (there %s); \"avatard user add --new-issuer\" registers the first one", admin.ErrRefused, issuer, admin.NamesOf(known))
}

func addedOr(created bool) string {
	if created {
		return "added"
	}
	return "already there"
}
