package authz

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"example.org/avatard/internal/ids"
)

// usersPath is where ZITADEL's call for one user begins (GetUserByID of zitadel.management.v1).
const usersPath = "/management/v1/users/"

// UserDirectory knows the users of organisations, whether or not they are on record here.
type UserDirectory interface {
	// HasUser reports whether a person of that id belongs to an organisation, as a caller may learn it. An error is ErrUnavailable,
	// ErrForbidden (the caller may not look users up there), ErrInvalidToken, ErrImpersonation, or the context's.
	HasUser(ctx context.Context, caller Identity, org, user string) (bool, error)
}

// ProviderUsers is the [UserDirectory] that asks the provider, with the caller's own token. It is for ZITADEL.
//
// Callers with the same question share one, and no answer is kept for more than a second: who is there is registered by then, and who is not may
// be added at the provider at any moment. It is protected as the Introspector is that it was made from.
type ProviderUsers struct {
	*providerAPI
	endpoint  string
	keyPrefix []byte // of cache keys
	cache     *cache[userResponse]
	asking    *operation
}

var _ UserDirectory = (*ProviderUsers)(nil)

// NewProviderUsers returns a directory that asks the provider of in, whose identities must carry their tokens
// (IntrospectionConfig.CarryToken).
func NewProviderUsers(in *Introspector) (*ProviderUsers, error) {
	api, err := newProviderAPI(in, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound)
	if err != nil {
		return nil, err
	}
	u := &ProviderUsers{providerAPI: api, endpoint: api.base + usersPath, asking: api.step(operationUser), cache: newCache[userResponse](api.ttl, api.now)}
	u.keyPrefix = appendPart(nil, u.endpoint)
	return u, nil
}

// HasUser implements [UserDirectory]. Its errors hold nothing of the token.
func (u *ProviderUsers) HasUser(ctx context.Context, caller Identity, org, user string) (bool, error) {
	token := caller.Credential.text()
	if token == "" {
		return false, errors.New("user: the identity carries no token")
	}
	if !ids.Valid(org) || strings.TrimSpace(org) != org || !namesUser(user) {
		return false, nil
	}
	key := u.keys.of(u.keyPrefix, org, user, token)
	if kept := u.cache.get(key, u.now()); kept != nil {
		return kept.organization == org, kept.refused
	}
	about := questionKeys{token: u.keys.of(u.keyPrefix, token), question: key}
	got, err := doShared(ctx, u.providerClient, u.asking, u.cache, about, func(ctx context.Context) (userResponse, error) { return u.look(ctx, token, org, user) })
	return got.organization == org, cmp.Or(err, got.refused)
}

// namesUser reports whether an id can be asked about. Something on the way may take others for a path of several parts, and the provider
// would be asked something else.
func namesUser(user string) bool {
	return ids.Valid(user) && user != "." && user != ".." && !strings.ContainsAny(user, `/\`)
}

// look asks the provider for a user of an organisation.
func (u *ProviderUsers) look(ctx context.Context, token, org, user string) (userResponse, error) {
	status, body, err := u.ask(ctx, http.MethodGet, u.endpoint+url.PathEscape(user), token, org, "")
	if err != nil {
		return userResponse{}, err
	}
	switch status {
	case http.StatusOK:
		return readUserResponse(body, user)
	case http.StatusNotFound:
		return readNotFound(body)
	}
	refused, err := u.readRefused(ctx, status, body)
	if errors.Is(refused, ErrUnknownOrganization) { // it has no users
		refused = nil
	}
	return userResponse{refused: refused}, err
}

// userResponse is what the provider says of a user. It is never changed. It has the fields of homeResponse, so that the compiler makes one
// cache for both.
type userResponse struct {
	organization string // that the person belongs to, "" = there is no such person
	// refused is nil, or what apiError.meaning returns.
	refused error
}

// accepted, expiry and size implement cacheable: no answer is kept for long.
func (userResponse) accepted() bool { return false }
func (userResponse) expiry() int64  { return 0 }
func (u userResponse) size() int {
	const perEntry = 512
	return perEntry + len(u.organization)
}

// readUserResponse reads the answer to GetUserByID. A machine has no picture, and who was deleted is not there: the call that removes a picture at
// ZITADEL wants a person, too, in any other state.
func readUserResponse(body []byte, user string) (userResponse, error) {
	found, owner, err := readUser(body, user)
	if err != nil {
		return userResponse{}, err
	}
	if owner == "" {
		return userResponse{}, fmt.Errorf("%w: a user of no organisation", errMalformedResponse)
	}
	state, err := member[string](found, "state")
	if err != nil {
		return userResponse{}, err
	}
	human, err := member[map[string]json.RawMessage](found, "human")
	if err != nil {
		return userResponse{}, err
	}
	exists := state != nil && *state != "USER_STATE_UNSPECIFIED" && *state != "USER_STATE_DELETED"
	if !exists || human == nil {
		return userResponse{}, nil
	}
	return userResponse{organization: owner}, nil
}

// readNotFound reads an answer with status 404, which anything on the way can give, too: it counts in the provider's own words alone, which
// have a reason. One of the reasons is about the caller.
func readNotFound(body []byte) (userResponse, error) {
	said := readAPIError(body)
	switch {
	case said.code != codeNotFound || said.id == "":
		return userResponse{}, statusError(http.StatusNotFound)
	case said.id == idNoMembership:
		return userResponse{refused: ErrForbidden}, nil
	}
	return userResponse{}, nil
}
