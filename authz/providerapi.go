package authz

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// providerAPI is ZITADEL's own API, which is asked with callers' tokens. It is the provider of an Introspector, shares the limits of
// that, and keeps and shares answers for as long.
type providerAPI struct {
	*providerClient
	base         string // of endpoints
	ttl          time.Duration
	keys         *keyHash
	confirmation *confirmation // about tokens that have ended since introspection
}

// newProviderAPI returns the API of in's provider, whose refusals come with the statuses. The identities of in must carry their tokens
// (IntrospectionConfig.CarryToken).
func newProviderAPI(in *Introspector, refusals ...int) (*providerAPI, error) {
	if !in.carryToken {
		return nil, errors.New("asking the provider needs identities that carry their tokens")
	}
	own := *in.providerClient
	own.client = allowingStatuses(in.client, refusals...)
	return &providerAPI{providerClient: &own, base: strings.TrimSuffix(in.rules.issuer, "/"), ttl: in.cache.ttl, keys: in.keys, confirmation: in.confirmation}, nil
}

// step returns one kind of question to the API.
func (p *providerAPI) step(name string) *operation {
	return p.newOperation(name, highPriority, &failureLog{log: p.log, now: p.now}, newFailedQuestions(p.now))
}

// ask sends a request with a caller's token and returns status and body of the answer. org is the organisation that it is about, "" =
// the caller's own. A body that is not empty is JSON.
func (p *providerAPI) ask(ctx context.Context, method, endpoint, token, org, body string) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, endpoint, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if org != "" {
		req.Header.Set("X-Zitadel-Orgid", org)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// readRefused returns what the provider's refusal of a question means for the caller, or an error when it says nothing.
func (p *providerAPI) readRefused(ctx context.Context, status int, body []byte) (refused, err error) {
	refused = readAPIError(body).meaning(status)
	switch {
	case refused == nil:
		return nil, statusError(status)
	case errors.Is(refused, ErrInvalidToken): // introspection took it for active a moment ago
		return refused, p.confirmation.check(ctx)
	}
	return refused, nil
}
