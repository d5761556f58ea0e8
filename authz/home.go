package authz

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// homePath is ZITADEL's call for the user behind a token (GetMyUser of zitadel.auth.v1).
const homePath = "/auth/v1/users/me"

// Directory is a [Source] that also knows users and organisations of its own: it can be asked where a caller belongs, and
// its Grant tells an organisation that nobody else has heard of from one that does not exist (ErrUnknownOrganization).
type Directory interface {
	Source
	// Home returns the organisation that a caller belongs to, "" when that is not told. Its errors are those of Grant.
	Home(ctx context.Context, id Identity) (org string, err error)
}

var _ Directory = (*ProviderPermissions)(nil)

// home is what the provider says of the user behind a token. It is never changed.
type home struct {
	organization string
	// refused is nil, or what refusal.err returns.
	refused error
}

// good, ends and weight are what a cache asks.
func (h home) accepted() bool { return h.refused == nil && h.organization != "" }
func (h home) expiry() int64  { return 0 }
func (h home) size() int {
	const perEntry = 512
	return perEntry + len(h.organization)
}

// homes asks the provider where callers belong. It is kept, shared and protected as permissions are.
type homes struct {
	endpoint  string
	keyPrefix []byte // of cache keys
	cache     *cache[home]
	step      *operation
}

// Home implements [Directory]. It is for callers whose token does not name their organisation: clients of ZITADEL request
// the scope for that seldom.
func (p *ProviderPermissions) Home(ctx context.Context, id Identity) (string, error) {
	token := id.Credential.text()
	if token == "" {
		return "", errors.New("organisation: the identity carries no token")
	}
	key := p.keys.of(p.homes.keyPrefix, id.Subject, token)
	if kept := p.homes.cache.get(key, p.now()); kept != nil {
		return kept.organization, kept.refused
	}
	got, err := doShared(ctx, p.providerClient, p.homes.step, p.homes.cache, questionKeys{key, key}, func(ctx context.Context) (home, error) {
		return p.askHome(ctx, token, id.Subject)
	})
	return got.organization, cmp.Or(err, got.refused)
}

// askHome asks the provider for the user behind a token, who has to be the one that introspection named.
func (p *ProviderPermissions) askHome(ctx context.Context, token, subject string) (home, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.homes.endpoint, nil)
	if err != nil {
		return home{}, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		return home{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return home{}, err
	}
	if resp.StatusCode == http.StatusOK {
		return readHome(body, subject)
	}
	refused, err := p.readRefused(ctx, resp.StatusCode, body)
	return home{refused: refused}, err
}

// readHome reads the answer to GetMyUser: {"user":{"id":…,"details":{"resourceOwner":…}}}. An answer about somebody else is no
// answer.
func readHome(body []byte, subject string) (home, error) {
	members, err := object(body)
	if err != nil {
		return home{}, err
	}
	user, err := member[map[string]json.RawMessage](members, "user")
	if err != nil {
		return home{}, err
	}
	if user == nil {
		return home{}, fmt.Errorf("%w: no member user", errMalformedAnswer)
	}
	id, err := member[string](*user, "id")
	if err != nil {
		return home{}, err
	}
	if id == nil || *id != subject {
		return home{}, fmt.Errorf("%w: another user than introspection says", errMalformedAnswer)
	}
	details, err := member[map[string]json.RawMessage](*user, "details")
	if err != nil || details == nil {
		return home{}, err
	}
	org, err := member[string](*details, "resourceOwner")
	if err != nil || org == nil || *org == "" {
		return home{}, err
	}
	if !trustedID(*org) {
		return home{}, fmt.Errorf("%w: no usable organisation", errMalformedAnswer)
	}
	return home{organization: *org}, nil
}
