package authz

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	httphelper "github.com/zitadel/oidc/v3/pkg/http"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// errDiscovery: the discovery document is of another issuer, or names an endpoint that must not receive a secret.
var errDiscovery = errors.New("unusable discovery document")

// errNoEndpoint: the discovery document does not say where to introspect.
var errNoEndpoint = fmt.Errorf("%w: no introspection_endpoint in it", errDiscovery)

// SignInEndpoints are where people get tokens from a provider (RFC 6749 section 3), and end them (RFC 7009); "" where its document does not
// say so.
type SignInEndpoints struct{ Authorization, Token, Revocation string }

// provider is the result of discovery: where and as which client to introspect. It is never changed.
type provider struct {
	signIn         SignInEndpoints
	resourceServer resourceServer
	keyPrefix      []byte // of cache keys: issuer, endpoint and client, each behind its length
}

// discover returns the provider's endpoints. It waits for them until the deadline at most. They are asked for with the first token, so
// that a server starts while its provider is down, and again with the next one when that failed. Callers that come meanwhile share one
// request; when that one fails, callers that came after its start ask once more, since the provider may work by now.
// A request that starts here ends at the deadline, whatever becomes of the caller, so that it cannot be joined after the caller that
// began it has had an answer.
func (in *Introspector) discover(caller context.Context, deadline time.Time) (*provider, error) {
	if p := in.provider.Load(); p != nil {
		return p, nil
	}
	ctx, cancel := context.WithDeadline(caller, deadline)
	defer cancel()
	p, joined, err := in.discoverOnce(ctx, deadline)
	if err != nil && joined && contextError(ctx) == nil {
		p, _, err = in.discoverOnce(ctx, deadline)
	}
	return p, err
}

// discoverOnce is discover without the second attempt. joined tells that the request was another caller's.
func (in *Introspector) discoverOnce(ctx context.Context, deadline time.Time) (p *provider, joined bool, err error) {
	in.mu.Lock()
	if p := in.provider.Load(); p != nil {
		in.mu.Unlock()
		return p, false, nil
	}
	pending := in.discoveryFlight
	joined = pending != nil
	if !joined {
		pending = newFlight[*provider](in.now())
		in.discoveryFlight = pending
		go func() {
			p, err := in.fetchProvider(deadline)
			in.mu.Lock()
			if err == nil {
				in.provider.Store(p)
				in.discovered = in.now()
			}
			in.discoveryFlight = nil
			in.mu.Unlock()
			pending.finish(p, err)
		}()
	}
	in.mu.Unlock()
	p, err = pending.wait(ctx)
	return p, joined, err
}

func (in *Introspector) fetchProvider(deadline time.Time) (*provider, error) {
	return do(context.Background(), in.providerClient, in.discovery, questionKeys{}, deadline, in.discoverNow)
}

func (in *Introspector) discoverNow(ctx context.Context) (*provider, error) {
	if in.endpoints.introspection != "" {
		return in.providerAt(in.endpoints.introspection), nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, in.endpoints.discoveryURL(in.rules.issuer), nil)
	if err != nil {
		return nil, err
	}
	// The library's own discovery dereferences nil when the document is `null`.
	var document struct {
		Issuer        string `json:"issuer"`
		Introspection string `json:"introspection_endpoint"`
		Authorization string `json:"authorization_endpoint"`
		Token         string `json:"token_endpoint"`
		Revocation    string `json:"revocation_endpoint"`
	}
	if err := httphelper.HttpRequest(in.client, req, &document); err != nil {
		return nil, err
	}
	switch {
	case document.Issuer != in.rules.issuer: // OpenID Connect Discovery 1.0 section 4.3, RFC 8414 section 3.3
		return nil, &otherIssuerError{theirs: document.Issuer, ours: in.rules.issuer}
	case document.Introspection == "":
		return nil, errNoEndpoint
	case !in.mayReceiveSecret(document.Introspection):
		return nil, errDiscovery
	}
	p := in.providerAt(document.Introspection)
	if in.mayReceiveSecret(document.Authorization) && in.mayReceiveSecret(document.Token) {
		p.signIn = SignInEndpoints{Authorization: document.Authorization, Token: document.Token}
		if in.mayReceiveSecret(document.Revocation) {
			p.signIn.Revocation = document.Revocation
		}
	}
	return p, nil
}

// SignInEndpoints returns where people get tokens, as the provider describes itself. It asks no longer than the time-out, and fails as
// [Introspector.Authenticate] does while the provider is away.
func (in *Introspector) SignInEndpoints(ctx context.Context) (SignInEndpoints, error) {
	p, err := in.discover(ctx, time.Now().Add(in.timeout))
	if err != nil {
		return SignInEndpoints{}, err
	}
	return p.signIn, nil
}

// providerAt returns the provider that introspects at an endpoint.
func (in *Introspector) providerAt(endpoint string) *provider {
	p := &provider{resourceServer: resourceServer{client: in.client, endpoint: endpoint, credentials: &in.credentials}}
	for _, part := range []string{in.rules.issuer, endpoint, in.credentials.Load().clientID} {
		p.keyPrefix = appendPart(p.keyPrefix, part)
	}
	return p
}

// endpointConfig holds the configured URLs of a provider that is to be asked elsewhere than its issuer says.
type endpointConfig struct {
	discovery     string // URL of the document, "" = that of OpenID Connect below the issuer
	introspection string // of introspection, "" = what the document says
}

func (w endpointConfig) discoveryURL(issuer string) string {
	return cmp.Or(w.discovery, strings.TrimSuffix(issuer, "/")+oidc.DiscoveryEndpoint)
}

// otherIssuerError is a discovery document of another issuer than the configured one. Its text quotes the document's, up to a bound.
type otherIssuerError struct{ theirs, ours string }

func (e *otherIssuerError) Error() string {
	return fmt.Sprintf("the discovery document's issuer is %.200q, the configured one %q", e.theirs, e.ours)
}

func (e *otherIssuerError) Unwrap() error { return errDiscovery }

// mayReceiveSecret reports whether endpoint is an absolute URL that is not less protected than the issuer.
func (in *Introspector) mayReceiveSecret(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && strings.HasPrefix(in.rules.issuer, "http://")
}
