package cli

import (
	"context"

	"example.org/avatard/authz"
	"example.org/avatard/internal/config"
	"example.org/avatard/server"
	"example.org/avatard/server/reference"
)

// signInOf returns how people sign in on the server's pages; nil where the configuration names no client for that.
func signInOf(cfg config.Config, provider *authz.Introspector) func(context.Context) *reference.SignIn {
	if cfg.PageClientID == "" {
		return nil
	}
	scopes := server.ZitadelScopes(cfg.ProjectID)
	if len(cfg.PageScopes) > 0 {
		scopes = nil
		for _, name := range cfg.PageScopes {
			scopes = append(scopes, reference.Scope{Name: name, Use: "asked for by this server's pages"})
		}
	}
	return func(ctx context.Context) *reference.SignIn {
		at, err := provider.SignInEndpoints(ctx)
		if err != nil || at.Authorization == "" {
			return nil
		}
		return &reference.SignIn{Issuer: cfg.Issuer, AuthorizationURL: at.Authorization, TokenURL: at.Token, RevocationURL: at.Revocation,
			ClientID: cfg.PageClientID, Scopes: scopes}
	}
}
