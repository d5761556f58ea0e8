package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/config"
	"example.org/avatard/storage"
)

// issuerMoveCommand is "issuer move".
type issuerMoveCommand struct {
	settingFlags
	Old string `arg:"" name:"OLD" help:"issuer that users are on record with"`
	New string `arg:"" name:"NEW" help:"issuer that they get"`
}

// Run gives the users of one issuer to another, through the running server where there is one.
func (flags *issuerMoveCommand) Run(ctx context.Context, inv *Program) error {
	from, to := flags.Old, flags.New
	if !storage.ValidText(from) {
		return usagef("%q is no issuer; expected the URL that users are on record with", from)
	}
	if err := config.ParseIssuer(&to, to); err != nil {
		return usagef("the new issuer %v", err)
	}
	if from == to {
		return usagef("both issuers are %s", from)
	}
	cfg, err := config.Read(inv.Environ, flags.Flags, "data")
	if err != nil {
		return err
	}
	place := inv.placeOf(cfg)
	moved, err := serverOf(place).MoveIssuer(ctx, from, to)
	if errors.Is(err, admin.ErrNoServer) {
		err = withStore(ctx, place, false, func(store storage.Engine) (err error) {
			moved, err = admin.MoveIssuer(ctx, store, from, to)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("issuer %s: %w", from, err)
	}
	done := "already there"
	if moved {
		done = "moved"
	}
	_, err = fmt.Fprintf(inv.Stdout, "users of %s %s to %s\n", from, done, to)
	return err
}

// warnOfOtherIssuers tells the log when all users on record are out of reach, as they are when an issuer's address has changed.
func warnOfOtherIssuers(logger *slog.Logger, store storage.Keeper, issuer string) {
	others := store.OtherIssuers(issuer)
	if len(others) == 0 {
		return
	}
	logger.Warn("users are on record with other issuers only, so nobody is found; if the issuer's address has changed, run avatard issuer move",
		"issuer", issuer, "on_record", strings.Join(others, " "))
}
