package authz

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// homePath is ZITADEL's call for the user behind a token (GetMyUser of zitadel.auth.v1).
const homePath = "/auth/v1/users/me"

// Directory is a [Source] that also knows users and organisations of its own: it can be asked where a caller belongs, and
// its Grant returns ErrUnknownOrganization for an organisation that does not exist.
type Directory interface {
	Source
	// Home returns the organisation that a caller belongs to, "" when that is not told. Its errors are those of Grant.
	Home(ctx context.Context, id Identity) (org string, err error)
}

var _ Directory = (*ProviderPermissions)(nil)

// homeResponse is what the provider says of the user behind a token. It is never changed.
type homeResponse struct {
	organization string
	// refused is nil, or what apiError.meaning returns.
	refused error
}

// accepted, expiry and size implement cacheable.
func (h homeResponse) accepted() bool { return h.refused == nil && h.organization != "" }
func (h homeResponse) expiry() int64  { return 0 }
func (h homeResponse) size() int {
	const perEntry = 512
	return perEntry + len(h.organization)
}

// homeLookup asks the provider where callers belong. Its answers are kept and shared, and the provider is protected, as with permissions.
type homeLookup struct {
	endpoint  string
	keyPrefix []byte // of cache keys
	cache     *cache[homeResponse]
	asking    *operation
}

// Home implements [Directory]. It is for callers whose token does not name their organisation: clients of ZITADEL request
// the scope for that seldom.
func (p *ProviderPermissions) Home(ctx context.Context, id Identity) (string, error) {
	token := id.Credential.text()
	if token == "" {
		return "", errors.New("organisation: the identity carries no token")
	}
	key := p.keys.of(p.home.keyPrefix, id.Subject, token)
	if kept := p.home.cache.get(key, p.now()); kept != nil {
		return kept.organization, kept.refused
	}
	got, err := doShared(ctx, p.providerClient, p.home.asking, p.home.cache, questionKeys{key, key}, func(ctx context.Context) (homeResponse, error) {
		return p.askHome(ctx, token, id.Subject)
	})
	return got.organization, cmp.Or(err, got.refused)
}

// askHome asks the provider for the user behind a token. It has to be the user that introspection named.
func (p *ProviderPermissions) askHome(ctx context.Context, token, subject string) (homeResponse, error) {
	status, body, err := p.ask(ctx, http.MethodGet, p.home.endpoint, token, "", "")
	if err != nil {
		return homeResponse{}, err
	}
	if status == http.StatusOK {
		return readHomeResponse(body, subject)
	}
	refused, err := p.readRefused(ctx, status, body)
	return homeResponse{refused: refused}, err
}

// readHomeResponse reads the answer to GetMyUser.
func readHomeResponse(body []byte, subject string) (homeResponse, error) {
	_, org, err := readUser(body, subject)
	return homeResponse{organization: org}, err
}

// readUser reads {"user":{"id":…,"details":{"resourceOwner":…}}}: the members of a user and the organisation that they belong to, "" when that
// is not told. An answer about another user is an error.
func readUser(body []byte, id string) (user map[string]json.RawMessage, org string, err error) {
	members, err := object(body)
	if err != nil {
		return nil, "", err
	}
	found, err := member[map[string]json.RawMessage](members, "user")
	if err != nil {
		return nil, "", err
	}
	if found == nil {
		return nil, "", fmt.Errorf("%w: no member user", errMalformedResponse)
	}
	theirs, err := member[string](*found, "id")
	if err != nil {
		return nil, "", err
	}
	if theirs == nil || *theirs != id {
		return nil, "", fmt.Errorf("%w: another user than was asked about", errMalformedResponse)
	}
	details, err := member[map[string]json.RawMessage](*found, "details")
	if err != nil || details == nil {
		return *found, "", err
	}
	owner, err := member[string](*details, "resourceOwner")
	if err != nil || owner == nil || *owner == "" {
		return *found, "", err
	}
	if !trustedID(*owner) {
		return nil, "", fmt.Errorf("%w: no usable organisation", errMalformedResponse)
	}
	return *found, *owner, nil
}
