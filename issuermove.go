package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"avatard/storage"
	"avatard/storage/embedded"
)

func newIssuerMoveFlags(fs *flag.FlagSet) *configFlags { return addConfigFlags(fs, "data") }

// runIssuerMove gives the users of one issuer to another, through the running server where there is one.
func runIssuerMove(ctx context.Context, inv *invocation, args []string) error {
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
	if err := parseIssuer(&to, to); err != nil {
		return usagef("the new issuer %v", err)
	}
	if from == to {
		return usagef("both issuers are %s", from)
	}
	cfg, err := readConfig(inv.environ, flags, "data")
	if err != nil {
		return err
	}
	moved, err := askServer(ctx, cfg.Data, "/issuers", adminRequest{Issuer: from, To: to})
	if errors.Is(err, errNoServer) {
		if err := hasDatabase(cfg.Data); err != nil {
			return err
		}
		moved, err = withStore(ctx, cfg.Data, func(store storage.Store) (bool, error) {
			return moveIssuer(ctx, store, from, to)
		})
	}
	if err != nil {
		return fmt.Errorf("issuer %s: %w", from, err)
	}
	done := "already there"
	if moved {
		done = "moved"
	}
	_, err = fmt.Fprintf(inv.stdout, "users of %s %s to %s\n", from, done, to)
	return err
}

func moveIssuer(ctx context.Context, store storage.Store, from, to string) (moved bool, err error) {
	moved, err = store.MoveIssuer(ctx, from, to, commandLine)
	switch {
	case errors.Is(err, storage.ErrIssuerNotFound):
		return false, fmt.Errorf("%w: nobody of it is registered", errRefused)
	case errors.Is(err, storage.ErrIssuerInUse):
		return false, fmt.Errorf("%w: users of %s are registered already, and the same id may be two people; nothing was changed", errRefused, to)
	case errors.Is(err, storage.ErrInvalid):
		return false, fmt.Errorf("%w: an issuer is 1 to %d bytes without control characters, and the two differ", errRefused, storage.MaxIDBytes)
	}
	return moved, err
}

// issuerMove serves POST /issuers. A server whose own issuer would lose its users goes on registering people under it: it has to
// be told of the new one first.
func (a *admin) issuerMove(w http.ResponseWriter, r *http.Request) {
	a.answer(w, r, func(ctx context.Context, req adminRequest) (bool, error) {
		if req.Issuer == a.issuer {
			return false, fmt.Errorf("%w: the running server has this issuer; start it with issuer: %s first, or stop it", errRefused, req.To)
		}
		return moveIssuer(ctx, a.store, req.Issuer, req.To)
	})
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
