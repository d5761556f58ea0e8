package authz

import (
	"cmp"
	"context"
	"errors"
	"example.org/avatard/internal/ids"
	"net/http"
	"strings"
)

// permissionsPath is ZITADEL's call for what the caller of a token may do in an organisation.
const permissionsPath = "/auth/v1/permissions/zitadel/me/_search"

// ProviderPermissions is the [Source] that asks the provider, with the caller's own token, what they may do. Roles in
// the token play no part. It is for ZITADEL, whose manager roles do not show in introspection.
//
// It keeps and shares answers as long as the Introspector that it was made from does, and is protected in the same way.
type ProviderPermissions struct {
	*providerAPI
	endpoint  string
	keyPrefix []byte // of cache keys
	cache     *cache[permissionsResponse]
	asking    *operation
	home      homeLookup
}

var _ Source = (*ProviderPermissions)(nil)

// NewProviderPermissions returns a source that asks the provider of in, whose identities must carry their tokens
// (IntrospectionConfig.CarryToken).
func NewProviderPermissions(in *Introspector) (*ProviderPermissions, error) {
	api, err := newProviderAPI(in, http.StatusUnauthorized, http.StatusForbidden)
	if err != nil {
		return nil, err
	}
	p := &ProviderPermissions{providerAPI: api, endpoint: api.base + permissionsPath, asking: api.step(operationPermissions)}
	p.cache, p.keyPrefix = newCache[permissionsResponse](api.ttl, api.now), appendPart(nil, p.endpoint)
	p.home = homeLookup{endpoint: api.base + homePath, asking: api.step(operationHome), cache: newCache[homeResponse](api.ttl, api.now)}
	p.home.keyPrefix = appendPart(nil, p.home.endpoint)
	return p, nil
}

// Grant returns what the provider lets the caller do in org. Its errors hold nothing of the token.
func (p *ProviderPermissions) Grant(ctx context.Context, id Identity, org string) (Grant, error) {
	token := id.Credential.text()
	if token == "" {
		return Grant{}, errors.New("permissions: the identity carries no token")
	}
	// White space around an id is lost in a header, and what is left may name another organisation.
	if !ids.Valid(org) || strings.TrimSpace(org) != org {
		return Grant{}, nil
	}
	key := p.keys.of(p.keyPrefix, org, token)
	if kept := p.cache.get(key, p.now()); kept != nil {
		return kept.Grant, kept.refused
	}
	about := questionKeys{token: p.keys.of(p.keyPrefix, token), question: key}
	got, err := doShared(ctx, p.providerClient, p.asking, p.cache, about, func(ctx context.Context) (permissionsResponse, error) { return p.search(ctx, token, org) })
	return got.Grant, cmp.Or(err, got.refused)
}

// search asks the provider.
func (p *ProviderPermissions) search(ctx context.Context, token, org string) (permissionsResponse, error) {
	status, body, err := p.ask(ctx, http.MethodPost, p.endpoint, token, org, "{}")
	if err != nil {
		return permissionsResponse{}, err
	}
	if status == http.StatusOK {
		return readPermissions(body)
	}
	refused, err := p.readRefused(ctx, status, body)
	return permissionsResponse{refused: refused}, err
}
