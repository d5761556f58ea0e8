package authz

import (
	"cmp"
	"context"
	"errors"
	"example.org/avatard/internal/ids"
	"io"
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
	*providerClient
	endpoint  string
	keys      *keyHash
	keyPrefix []byte // of cache keys
	cache     *cache[permissionsResponse]
	step      *operation
	home      homeLookup
	// confirmation is about tokens that have ended since introspection.
	confirmation *confirmation
}

var _ Source = (*ProviderPermissions)(nil)

// NewProviderPermissions returns a source that asks the provider of in, whose identities must carry their tokens
// (IntrospectionConfig.CarryToken).
func NewProviderPermissions(in *Introspector) (*ProviderPermissions, error) {
	if !in.carryToken {
		return nil, errors.New("asking for permissions needs identities that carry their tokens")
	}
	own := *in.providerClient
	own.client = allowingStatuses(in.client, http.StatusUnauthorized, http.StatusForbidden)
	p := &ProviderPermissions{providerClient: &own, keys: in.keys, confirmation: in.confirmation, endpoint: strings.TrimSuffix(in.rules.issuer, "/") + permissionsPath}
	p.step = p.newOperation(operationPermissions, highPriority, &failureLog{log: own.log, now: own.now}, newFailedQuestions(own.now))
	p.keyPrefix = appendPart(nil, p.endpoint)
	p.home.endpoint = strings.TrimSuffix(in.rules.issuer, "/") + homePath
	p.home.step = p.newOperation(operationHome, highPriority, &failureLog{log: own.log, now: own.now}, newFailedQuestions(own.now))
	p.home.keyPrefix = appendPart(nil, p.home.endpoint)
	p.cache, p.home.cache = newCache[permissionsResponse](in.cache.ttl, in.now), newCache[homeResponse](in.cache.ttl, in.now)
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
	got, err := doShared(ctx, p.providerClient, p.step, p.cache, about, func(ctx context.Context) (permissionsResponse, error) { return p.search(ctx, token, org) })
	return got.Grant, cmp.Or(err, got.refused)
}

// search asks the provider.
func (p *ProviderPermissions) search(ctx context.Context, token, org string) (permissionsResponse, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.endpoint, strings.NewReader("{}"))
	if err != nil {
		return permissionsResponse{}, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("X-Zitadel-Orgid", org)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		return permissionsResponse{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return permissionsResponse{}, err
	}
	if resp.StatusCode == http.StatusOK {
		return readPermissions(body)
	}
	refused, err := p.readRefused(ctx, resp.StatusCode, body)
	return permissionsResponse{refused: refused}, err
}

// readRefused returns what the provider's refusal of a question means for the caller, or an error when it says nothing.
func (p *ProviderPermissions) readRefused(ctx context.Context, status int, body []byte) (refused, err error) {
	refused = readAPIError(body).meaning(status)
	switch {
	case refused == nil:
		return nil, statusError(status)
	case errors.Is(refused, ErrInvalidToken): // introspection took it for active a moment ago
		return refused, p.confirmation.check(ctx)
	}
	return refused, nil
}
