package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"slices"

	"avatard/internal/admin"
	"avatard/internal/config"
	"avatard/internal/ids"
	"avatard/storage"
	"avatard/storage/embedded"
)

// registerFlags are the flags of org add, user add and user move.
type registerFlags struct {
	*config.Flags
	org               string
	newOrg, newIssuer bool
}

func newRegisterFlags(fs *flag.FlagSet) *registerFlags {
	f := &registerFlags{Flags: config.AddFlags(fs, "data", "issuer")}
	fs.StringVar(&f.org, "org", "", "`ORG` that the user belongs to (user add), or is to (user move)")
	return f
}

// newUserAddFlags are those of user add, which can meet something new.
func newUserAddFlags(fs *flag.FlagSet) *registerFlags {
	f := newRegisterFlags(fs)
	fs.BoolVar(&f.newOrg, "new-org", false, "register ORG too, if it is not yet")
	fs.BoolVar(&f.newIssuer, "new-issuer", false, "register a user of an issuer that nobody on record has")
	return f
}

func runOrgAdd(ctx context.Context, inv *Program, args []string) error {
	fs := newFlagSet("org add")
	flags := newRegisterFlags(fs)
	words, err := parseFlags(fs, args)
	if err != nil {
		return err
	}
	if len(words) != 1 || flags.org != "" {
		return usagef("org add takes one organisation id")
	}
	org := words[0]
	if !ids.Valid(org) {
		return usagef("%q is no organisation id; expected 1 to 200 characters without control characters", org)
	}
	cfg, err := config.Read(inv.Environ, flags.Flags, "data")
	if err != nil {
		return err
	}
	created, err := admin.NewClient(cfg.Data).AddOrganization(ctx, org)
	if errors.Is(err, admin.ErrNoServer) {
		created, err = withStore(ctx, cfg.Data, func(store storage.Store) (bool, error) {
			return admin.AddOrganization(ctx, store, org)
		})
	}
	if err != nil {
		return fmt.Errorf("organisation %s: %w", org, err)
	}
	_, err = fmt.Fprintf(inv.Stdout, "organisation %s %s\n", org, addedOr(created))
	return err
}

func runUserAdd(ctx context.Context, inv *Program, args []string) error {
	return runOnUser(ctx, inv, args, "user add", newUserAddFlags, admin.Client.AddUser, admin.AddUser, addedOr)
}

func runUserMove(ctx context.Context, inv *Program, args []string) error {
	return runOnUser(ctx, inv, args, "user move", newRegisterFlags, admin.Client.MoveUser, admin.MoveUser, func(moved bool) string {
		if moved {
			return "moved"
		}
		return "already there"
	})
}

// runOnUser runs a command that changes one user's registration, through the running server where there is one.
func runOnUser(ctx context.Context, inv *Program, args []string, command string, define func(*flag.FlagSet) *registerFlags, ask func(admin.Client, context.Context, admin.Request) (bool, error), do admin.UserChange, done func(changed bool) string) error {
	fs := newFlagSet(command)
	flags := define(fs)
	words, err := parseFlags(fs, args)
	if err != nil {
		return err
	}
	if len(words) != 1 {
		return usagef("%s takes one user id", command)
	}
	user := words[0]
	switch {
	case !ids.Valid(user):
		return usagef("%q is no user id; expected 1 to 200 characters without control characters", user)
	case flags.org == "":
		return usagef("%s needs --org, the organisation that the user is to belong to", command)
	case !ids.Valid(flags.org):
		return usagef("%q is no organisation id; expected 1 to 200 characters without control characters", flags.org)
	}
	cfg, err := config.Read(inv.Environ, flags.Flags, "data")
	if err != nil {
		return err
	}
	req := admin.Request{Organization: flags.org, User: user, NewOrganization: flags.newOrg}
	if given, ok := flags.Given("issuer"); ok {
		req.Issuer = given // an issuer from file or environment may be meant for another server
	}
	changed, err := ask(admin.NewClient(cfg.Data), ctx, req)
	if errors.Is(err, admin.ErrNoServer) {
		// Without a server only the configuration can tell whose id this is.
		if cfg, err = config.Read(inv.Environ, flags.Flags, "data", "issuer"); err != nil {
			return err
		}
		if command == "user move" {
			if err := hasDatabase(cfg.Data); err != nil {
				return err
			}
		}
		changed, err = withStore(ctx, cfg.Data, func(store storage.Store) (bool, error) {
			if !flags.newIssuer {
				if err := checkIssuer(store, cfg.Issuer); err != nil {
					return false, err
				}
			}
			return do(ctx, store, storage.UserKey{Issuer: cfg.Issuer, ID: user}, flags.org, flags.newOrg)
		})
	}
	if err != nil {
		return fmt.Errorf("user %s: %w", user, err)
	}
	_, err = fmt.Fprintf(inv.Stdout, "user %s %s\n", user, done(changed))
	return err
}

// checkIssuer refuses an issuer that no user on record has, unless there is no user. A running server needs no such look: the one
// that it has is right.
func checkIssuer(store storage.Store, issuer string) error {
	known, err := store.(*embedded.Store).Issuers()
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

// withStore opens the store of a data directory on which no server runs, under its lock.
func withStore(ctx context.Context, dir string, do func(storage.Store) (bool, error)) (created bool, err error) {
	store, err := embedded.Open(ctx, embedded.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return do(store)
}
