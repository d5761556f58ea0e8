package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"strings"

	"avatard/internal/admin"
	"avatard/internal/config"
	"avatard/storage"
	"avatard/storage/embedded"
)

func newIssuerMoveFlags(fs *flag.FlagSet) *config.Flags { return config.AddFlags(fs, "data") }

// runIssuerMove gives the users of one issuer to another, through the running server where there is one.
func runIssuerMove(ctx context.Context, inv *Program, args []string) error {
	fs := newFlagSet("issuer move")
	flags := newIssuerMoveFlags(fs)
	words, err := parseFlags(fs, args)
	if err != nil {
		return err
	}
	if len(words) != 2 {
		return usagef("issuer move takes the old issuer and the new one")
	}
	from, to := words[0], words[1]
	if !storage.ValidText(from) {
		return usagef("%q is no issuer; expected the URL that users are on record with", from)
	}
	if err := config.ParseIssuer(&to, to); err != nil {
		return usagef("the new issuer %v", err)
	}
	if from == to {
		return usagef("both issuers are %s", from)
	}
	cfg, err := config.Read(inv.Environ, flags, "data")
	if err != nil {
		return err
	}
	moved, err := admin.NewClient(cfg.Data).MoveIssuer(ctx, from, to)
	if errors.Is(err, admin.ErrNoServer) {
		if err := hasDatabase(cfg.Data); err != nil {
			return err
		}
		moved, err = withStore(ctx, cfg.Data, func(store storage.Store) (bool, error) {
			return admin.MoveIssuer(ctx, store, from, to)
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
func warnOfOtherIssuers(logger *slog.Logger, store *embedded.Store, issuer string) {
	others := store.OtherIssuers(issuer)
	if len(others) == 0 {
		return
	}
	logger.Warn("users are on record with other issuers only, so nobody is found; if the issuer's address has changed, run avatard issuer move",
		"issuer", issuer, "on_record", strings.Join(others, " "))
}
