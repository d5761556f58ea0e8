package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"

	"avatard/internal/admin"
	"avatard/internal/config"
	"avatard/internal/ids"
	"avatard/storage"
)

// userRemoveFlags are the flags of user remove.
type userRemoveFlags struct {
	*config.Flags
	json bool
	org  string
}

func newUserRemoveFlags(fs *flag.FlagSet) *userRemoveFlags {
	f := &userRemoveFlags{Flags: config.AddFlags(fs, "data", "issuer")}
	fs.BoolVar(&f.json, "json", false, "print what was removed as JSON")
	fs.StringVar(&f.org, "org", "", "remove the user only if they belong to `ORG`")
	return f
}

func runUserRemove(ctx context.Context, inv *Program, args []string) error {
	fs := newFlagSet("user remove")
	flags := newUserRemoveFlags(fs)
	words, err := parseFlags(fs, args)
	if err != nil {
		return err
	}
	if len(words) != 1 {
		return usagef("user remove takes one user id")
	}
	req := admin.UserRemoval{User: words[0], Organization: flags.org}
	if !ids.Valid(req.User) {
		return usagef("%q is no user id; expected 1 to 200 characters without control characters", req.User)
	}
	if req.Organization != "" && !ids.Valid(req.Organization) {
		return usagef("%q is no organisation id; expected 1 to 200 characters without control characters", req.Organization)
	}
	if given, ok := flags.Given("issuer"); ok {
		req.Issuer = given // that of file or environment may not be the mistyped one that is to go
	}
	cfg, err := config.Read(inv.Environ, flags.Flags, "data")
	if err != nil {
		return err
	}
	var reply admin.UserRemovalReply
	err = withRemovals(ctx, cfg.Data, func(calls admin.Removals) (err error) {
		reply, err = calls.RemoveUser(ctx, req)
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

func printRemoved(inv *Program, asJSON bool, removed fmt.Stringer) (err error) {
	if asJSON {
		return json.NewEncoder(inv.Stdout).Encode(removed)
	}
	_, err = fmt.Fprintln(inv.Stdout, removed)
	return err
}

// withRemovals does something through the server on a data directory, or on its store when the first call finds no server.
func withRemovals(ctx context.Context, dir string, do func(admin.Removals) error) error {
	err := do(admin.NewClient(dir))
	if !errors.Is(err, admin.ErrNoServer) {
		return err
	}
	if err := hasDatabase(dir); err != nil {
		return err
	}
	_, err = withStore(ctx, dir, func(store storage.Store) (bool, error) { return false, do(admin.RemovalsOf(store)) })
	return err
}
