package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/config"
	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
)

// eraseUserCommand is "erase user", which is also called "user remove".
type eraseUserCommand struct {
	settingFlags
	User   string `arg:"" name:"USER" help:"id of the user"`
	Org    string `placeholder:"ORG" help:"remove the user only if they belong to this organisation"`
	DryRun bool   `help:"say who would be removed, and change nothing"`
	JSON   bool   `name:"json" help:"print what was removed as JSON"`
}

func (flags *eraseUserCommand) Run(ctx context.Context, inv *Program) error {
	req := admin.UserRemoval{User: flags.User, Organization: flags.Org, DryRun: flags.DryRun}
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
	place := inv.placeOf(cfg)
	reply, err := serverOf(place).RemoveUser(ctx, req)
	if errors.Is(err, admin.ErrNoServer) {
		err = withStore(ctx, place, false, func(store storage.Engine) (err error) {
			reply, err = admin.RemoveUser(ctx, store, cfg.Issuer, req)
			return err
		})
	}
	if err == nil && reply.Removed == nil {
		err = errors.New(reply.Kept)
	}
	if err != nil {
		return fmt.Errorf("user %s: %w", req.User, err)
	}
	return printRemoved(inv, flags.JSON, reply.Removed)
}

func printRemoved(inv *Program, asJSON bool, removed fmt.Stringer) (err error) {
	if asJSON {
		return json.NewEncoder(inv.Stdout).Encode(removed)
	}
	_, err = fmt.Fprintln(inv.Stdout, removed)
	return err
}
