package main

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"avatard/authz"
)

// Where permissions come from.
const (
	sourceClaims  = "claims"  // from the roles in the token
	sourceZitadel = "zitadel" // from the provider, asked with the caller's token
)

// newIdentity makes what finds out who calls and what they may do. It does not talk to the provider yet. now is the clock,
// nil = time.Now, and observer is for metrics, nil = none.
func newIdentity(cfg config, logger *slog.Logger, now func() time.Time, observer authz.Observer) (*authz.Introspector, authz.Source, error) {
	unknown := cfg.Unknown
	if unknown.PerSecond == 0 {
		unknown.PerSecond = -1 // what is 0 for those who configure is -1 for the package, whose 0 is its default
	}
	if cfg.Source == sourceZitadel {
		cfg.ProjectID = "" // roles in tokens play no part, so one that nobody can read must not be anybody's trouble
	}
	introspector, err := authz.NewIntrospector(authz.IntrospectionConfig{
		UserAgent:          "avatard/" + buildVersion(),
		Issuer:             cfg.Issuer,
		DiscoveryURL:       cfg.DiscoveryURL,
		ClientID:           cfg.ClientID,
		ClientSecret:       cfg.ClientSecret,
		ClientKey:          cfg.ClientKey,
		Audience:           cfg.Audience,
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
		CarryToken:               cfg.Source == sourceZitadel,
		Now:                      now,
		Logger:                   logger,
		Observer:                 observer,
	})
	if err != nil {
		return nil, nil, err
	}
	if cfg.Source != sourceZitadel {
		return introspector, authz.NewClaims(cfg.Policy), nil
	}
	permissions, err := authz.NewProviderPermissions(introspector)
	return introspector, permissions, err
}

// finishIdentity looks at what only shows when all settings of provider and permissions are read.
func (r *configReader) finishIdentity(required []string) {
	c := r.cfg
	var proofs []string
	for _, key := range []string{"client_secret", "client_secret_file", "client_key_file"} {
		if r.given[key] {
			proofs = append(proofs, key)
		}
	}
	if len(proofs) > 1 {
		r.fault(proofs[0], "is set beside %s; expected only one of them", strings.Join(proofs[1:], " and "))
	} else if slices.Contains(required, "client_secret") { // whoever needs none opens no file either
		if c.ClientSecretFile != "" {
			r.readSecret(c.ClientSecretFile)
		}
		if c.ClientKeyFile != "" {
			r.readClientKey(c.ClientKeyFile)
		}
	}
	if len(c.Policy.InstanceRoles) > 0 && !r.given["authz.instance_organisation"] {
		r.fault("authz.instance_roles", "count nowhere without authz.instance_organisation; expected both or neither")
	}
	if c.Audience != "" && c.Audience == c.ClientID {
		r.fault("audience", "is the client id, which is the audience of whatever token this client asks about; expected what callers' tokens are made for, with ZITADEL the id of the project")
	}
	if c.DiscoveryURL != "" && c.Introspection != "" {
		r.fault("discovery_url", "is not read beside introspection.endpoint; expected only one of them")
	}
	if c.Source == sourceZitadel && c.DefaultOrg != "" {
		r.fault("default_organisation", "counts for nothing with authz.source: %s, where the provider says where callers belong; expected only one of them", sourceZitadel)
	}
	if c.Source == sourceZitadel {
		if !r.given["authz.allow_pat"] {
			c.AllowPAT = true // the provider's API takes them, and it is that which says what they allow
		}
		for _, key := range []string{"authz.project_id", "authz.instance_organisation", "authz.roles", "authz.instance_roles"} {
			if r.given[key] {
				r.fault(key, "counts for nothing with authz.source: %s, where the provider says what roles allow; expected only one of them", sourceZitadel)
			}
		}
	}
	if c.ProjectID == "" {
		c.ProjectID = c.Audience
	}
}

// maxSecretBytes bounds the file of a secret or key.
const maxSecretBytes = 64 << 10

func (r *configReader) readSecret(file string) {
	data, err := readBounded(file, maxSecretBytes)
	secret := strings.TrimSpace(string(data))
	switch {
	case err != nil:
		r.fault("client_secret_file", "%v; expected a readable file of at most %d bytes", err, maxSecretBytes)
	case secret == "":
		r.fault("client_secret_file", "%s is empty; expected the secret", file)
	}
	r.cfg.ClientSecret = secret
}

func (r *configReader) readClientKey(file string) {
	data, err := readBounded(file, maxSecretBytes)
	if err != nil {
		r.fault("client_key_file", "%v; expected a readable file of at most %d bytes", err, maxSecretBytes)
		return
	}
	key, err := authz.ParseClientKey(data)
	if err == nil && key.ClientID != "" && r.cfg.ClientID != "" && key.ClientID != r.cfg.ClientID {
		err = errors.New("it belongs to another client than client_id")
	}
	if err != nil {
		r.fault("client_key_file", "%s: %v; expected the JSON file that the provider gave out for the client", file, err)
	}
	r.cfg.ClientKey = key
}
