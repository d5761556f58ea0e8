package cli

import (
	"context"
	"errors"
	"fmt"

	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/bulkimport"
	"example.org/avatard/internal/config"
	"example.org/avatard/storage"
)

// registry is where an import registers an organisation and its users.
type registry struct {
	addOrganization func(ctx context.Context) error
	addUser         func(ctx context.Context, user string) error
}

// withRegister calls do with what registers a user; nil when nobody is to be. That goes through the server that has the data for itself. Where
// any number of processes may have it open, the store is open for as long as do takes.
func (flags *importCommand) withRegister(ctx context.Context, inv *Program, do func(register func(context.Context, string) error) error) error {
	switch {
	case !flags.Register && flags.NewOrg:
		return usagef("--new-org is for --register")
	case !flags.Register:
		return do(nil)
	}
	cfg, err := config.Read(inv.Environ, flags.Flags, "data")
	if err != nil {
		return err
	}
	place := inv.placeOf(cfg)
	if place.ControlDir() != "" {
		return flags.registerAt(ctx, flags.serverRegistry(serverOf(place)), do)
	}
	if cfg, err = config.Read(inv.Environ, flags.Flags, "data", "issuer"); err != nil {
		return err
	}
	return withStore(ctx, place, false, func(store storage.Engine) error {
		if err := checkIssuer(store, cfg.Issuer); err != nil {
			return fmt.Errorf("import: %w", err)
		}
		return flags.registerAt(ctx, flags.storeRegistry(store, cfg.Issuer), do)
	})
}

func (flags *importCommand) serverRegistry(server admin.Client) registry {
	issuer, _ := flags.Given("issuer") // one from file or environment may be meant for another server
	return registry{
		addOrganization: func(ctx context.Context) error {
			_, err := server.AddOrganization(ctx, flags.Org, admin.Admission{})
			return err
		},
		addUser: func(ctx context.Context, user string) error {
			_, err := server.AddUser(ctx, admin.Request{Organization: flags.Org, User: user, Issuer: issuer})
			return err
		},
	}
}

func (flags *importCommand) storeRegistry(store storage.Store, issuer string) registry {
	return registry{
		addOrganization: func(ctx context.Context) error {
			_, err := admin.AddOrganization(ctx, store, flags.Org, admin.Admission{})
			return err
		},
		addUser: func(ctx context.Context, user string) error {
			_, err := admin.AddUser(ctx, store, storage.UserKey{Issuer: issuer, ID: user}, flags.Org, admin.Admission{})
			return err
		},
	}
}

// registerAt calls do with what registers a user at a registry, behind the organisation where that is to be registered.
func (flags *importCommand) registerAt(ctx context.Context, at registry, do func(register func(context.Context, string) error) error) error {
	if flags.NewOrg {
		if err := at.addOrganization(ctx); err != nil {
			return fmt.Errorf("import: organisation %s: %w", flags.Org, err)
		}
	}
	return do(func(ctx context.Context, user string) error {
		err := at.addUser(ctx, user)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, admin.ErrNoServer):
			return fmt.Errorf("%w; a server with users.register_on_admin_upload registers them by itself", err)
		case ctx.Err() != nil:
			return ctx.Err()
		}
		return bulkimport.Refuse(bulkimport.UnknownUser, "registering: "+err.Error())
	})
}
