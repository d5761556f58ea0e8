package devidp

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

type clientKind int

const (
	apiClient         clientKind = iota // asks for introspection, gets no tokens
	machineClient                       // gets tokens for itself
	applicationClient                   // gets tokens for people, public
)

const idTokenLifetime = time.Hour

var errUnknownClient = errors.New("unknown client or wrong secret")

// client is a registered client (op.Client).
type client struct {
	id        string
	secret    string // "" only for the public application
	kind      clientKind
	account   string // of a machine: its account id
	redirects []string
	loginURL  string
}

func newClients(cfg Config, random *randomness) (map[string]*client, error) {
	clients := make(map[string]*client)
	add := func(c client) error {
		if c.secret == "" && c.kind != applicationClient {
			secret, err := random.name()
			if err != nil {
				return err
			}
			c.secret = secret
		}
		c.loginURL = cfg.Issuer + loginPath
		clients[c.id] = &c
		return nil
	}
	err := add(client{id: cfg.IntrospectionClient.ID, secret: cfg.IntrospectionClient.Secret, kind: apiClient})
	if err != nil {
		return nil, err
	}
	for _, m := range cfg.Machines {
		if err := add(client{id: m.Login, kind: machineClient, account: m.ID}); err != nil {
			return nil, err
		}
	}
	if cfg.ApplicationID != "" {
		err = add(client{id: cfg.ApplicationID, kind: applicationClient, redirects: cfg.RedirectURIs})
	}
	return clients, err
}

// GetClientByClientID finds a client for the library.
func (s *store) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	if c := s.provider.clients[id]; c != nil {
		return c, nil
	}
	return nil, errUnknownClient
}

// AuthorizeClientIDSecret compares in constant time. The public application has no secret that could be right.
func (s *store) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	c := s.provider.clients[id]
	if c == nil {
		return errUnknownClient
	}
	want, got := sha256.Sum256([]byte(c.secret)), sha256.Sum256([]byte(secret))
	if c.kind == applicationClient || subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
		return errUnknownClient
	}
	return nil
}

// ClientCredentials checks a client that wants a token for itself; the library then looks at its grant types.
func (s *store) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	if err := s.AuthorizeClientIDSecret(ctx, id, secret); err != nil {
		return nil, err
	}
	return s.GetClientByClientID(ctx, id)
}

func (c *client) GetID() string                        { return c.id }
func (c *client) RedirectURIs() []string               { return c.redirects }
func (c *client) PostLogoutRedirectURIs() []string     { return nil }
func (c *client) AccessTokenType() op.AccessTokenType  { return op.AccessTokenTypeBearer }
func (c *client) IDTokenLifetime() time.Duration       { return idTokenLifetime }
func (c *client) DevMode() bool                        { return false } // it would lift the redirect rules
func (c *client) IDTokenUserinfoClaimsAssertion() bool { return false }
func (c *client) ClockSkew() time.Duration             { return 0 }
func (c *client) IsScopeAllowed(scope string) bool     { return strings.HasPrefix(scope, scopePrefix) }
func (c *client) LoginURL(signIn string) string        { return c.loginURL + "?id=" + url.QueryEscape(signIn) }
func (c *client) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}
func (c *client) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return slices.Clone[[]string]
}
func (c *client) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return slices.Clone[[]string]
}

// ApplicationType decides the redirect rules: those of native applications allow loopback and no other http.
func (c *client) ApplicationType() op.ApplicationType {
	if c.kind == applicationClient {
		return op.ApplicationTypeNative
	}
	return op.ApplicationTypeWeb
}

func (c *client) AuthMethod() oidc.AuthMethod {
	if c.kind == applicationClient {
		return oidc.AuthMethodNone
	}
	return oidc.AuthMethodBasic
}

func (c *client) GrantTypes() []oidc.GrantType {
	switch c.kind {
	case machineClient:
		return []oidc.GrantType{oidc.GrantTypeClientCredentials}
	case applicationClient:
		return []oidc.GrantType{oidc.GrantTypeCode}
	}
	return nil
}
