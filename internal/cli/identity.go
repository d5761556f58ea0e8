package cli

import (
	"log/slog"

	"example.org/avatard/authz"
	"example.org/avatard/internal/config"
)

// newIdentity returns the authenticator of callers and the source of their permissions. It does not talk to the provider yet.
// observer is for metrics, nil = none.
func (p *Program) newIdentity(cfg config.Config, logger *slog.Logger, observer authz.Observer) (*authz.Introspector, authz.Source, error) {
	unknown := cfg.Unknown
	if unknown.PerSecond == 0 {
		unknown.PerSecond = -1 // 0 means no limit in the configuration, and the default in package authz
	}
	if cfg.Source == config.SourceZitadel {
		cfg.ProjectID = "" // roles in tokens do not count, so an unreadable one must not fail a call
	}
	introspector, err := authz.NewIntrospector(authz.IntrospectionConfig{
		UserAgent:          "avatard/" + version(),
		Issuer:             cfg.Issuer,
		DiscoveryURL:       cfg.DiscoveryURL,
		ClientID:           cfg.ClientID,
		ClientSecret:       cfg.ClientSecret,
		ClientKey:          cfg.ClientKey,
		Audience:           cfg.Audience,
		Claims:             cfg.ClaimPaths(),
		ProjectID:          cfg.ProjectID,
		AllowPAT:           cfg.AllowPAT,
		AllowImpersonation: cfg.AllowImpersonation,
		CacheTTL:           cfg.CacheTTL,

		IntrospectionEndpoint: cfg.Introspection, DefaultOrganization: cfg.DefaultOrg,
		Timeout:          cfg.IntrospectionTimeout,
		UnknownPerSecond: unknown.PerSecond,
		UnknownBurst:     unknown.Burst,
		// A quarter of the calls that may be in flight is left to tokens that are known.
		UnknownWaiting:           max(1, cfg.MaxRequests*3/4),
		UnknownWaitingPerAddress: max(1, cfg.MaxRequestsPerAddress*3/4),
		CarryToken:               cfg.Source == config.SourceZitadel || cfg.Directory == config.DirectoryZitadel,
		Now:                      p.Now,
		Logger:                   logger,
		Observer:                 observer,
	})
	if err != nil {
		return nil, nil, err
	}
	if cfg.Source != config.SourceZitadel {
		return introspector, authz.NewClaims(cfg.Policy), nil
	}
	permissions, err := authz.NewProviderPermissions(introspector)
	return introspector, permissions, err
}

// newUserDirectory returns who is asked about users who are unknown here; nil = nobody.
func newUserDirectory(cfg config.Config, introspector *authz.Introspector) (authz.UserDirectory, error) {
	if cfg.Directory != config.DirectoryZitadel {
		return nil, nil
	}
	return authz.NewProviderUsers(introspector)
}
