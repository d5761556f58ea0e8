package cli

import (
	"context"
	"errors"
	"log/slog"

	"example.org/avatard/authz"
	"example.org/avatard/internal/config"
)

// tryProvider tries the provider in the background and logs what came of it: whether its description can be had, and whether it
// answers about a token. The server works without an answer, so a failure does not end it. stop ends it and waits for that.
func tryProvider(ctx context.Context, in *authz.Introspector, logger *slog.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		trial := in.Try(ctx)
		if ctx.Err() != nil {
			return
		}
		if fault := faultOfTrial(trial); fault != nil {
			logger.Warn("identity provider tried: it does not work; callers get 503 until it does", "setting", fault.Where, "problem", fault.Problem)
			return
		}
		logger.Info("identity provider tried: it works", "discovery", trial.Document, "introspection", trial.Endpoint)
	}()
	return func() { cancel(); <-ended }
}

// faultOfTrial says what did not work, which setting may be wrong and what to do; nil when all worked.
func faultOfTrial(t authz.Trial) *config.Fault {
	switch {
	case t.Discovery != nil:
		return &config.Fault{Where: "issuer", Problem: "the discovery document " + t.Document + " is of no use: " + t.Discovery.Error() +
			"; expected one that this machine can read and whose issuer is exactly the configured one, see discovery_url"}
	case errors.Is(t.Introspection, authz.ErrClientRefused):
		return &config.Fault{Where: "client_id", Problem: t.Introspection.Error() + ", at " + t.Endpoint + "; expected those of an application that may introspect, with ZITADEL one of type API"}
	case t.Introspection != nil:
		return &config.Fault{Where: "introspection.endpoint", Problem: "asking about a token at " + t.Endpoint + " failed: " + t.Introspection.Error() +
			"; expected that the provider introspects there (RFC 7662)"}
	}
	return nil
}
