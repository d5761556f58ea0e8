package authz

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"

	"github.com/zitadel/oidc/v3/pkg/client/rs"
)

// Trial is what a try of the provider found out. Each error is nil where that part worked.
type Trial struct {
	// Document is where the discovery document was asked for, "" when none is needed.
	Document string
	// Discovery is why there is no usable discovery document. Introspection was not tried then.
	Discovery error
	// Endpoint is where the provider introspects, "" when that is not known.
	Endpoint string
	// Introspection is why the provider could not be asked about a token. ErrClientRefused, wrapped, where it does not know this server.
	Introspection error
}

// Err returns what did not work, nil when all did.
func (t Trial) Err() error { return errors.Join(t.Discovery, t.Introspection) }

// Try asks the provider for its discovery document and about an invented token, once each, and waits no longer than the time-out
// for both. It changes nothing that later questions depend on. The texts of its errors are for people who run the server: they quote
// nothing of the provider but an issuer that differs.
func (in *Introspector) Try(ctx context.Context) (t Trial) {
	ctx, cancel := context.WithTimeout(ctx, in.timeout)
	defer cancel()
	if in.endpoints.introspection == "" {
		t.Document = in.endpoints.discoveryURL(in.rules.issuer)
	}
	p, err := in.discoverNow(ctx)
	if err != nil {
		t.Discovery = errors.New(failureKind(err))
		return t
	}
	t.Endpoint = p.resourceServer.endpoint
	a, err := rs.Introspect[introspectionResponse](ctx, p.resourceServer, "tried-at-start-"+rand.Text())
	status, refused := errors.AsType[statusError](err)
	switch {
	case refused && (status == http.StatusUnauthorized || status == http.StatusForbidden):
		t.Introspection = fmt.Errorf("%w (%w)", ErrClientRefused, status)
	case refused && status == http.StatusBadRequest:
		t.Introspection = fmt.Errorf("%w, or gives this answer about tokens it does not know (%w)", ErrClientRefused, status)
	case err != nil:
		t.Introspection = errors.New(failureKind(err))
	case a.active:
		t.Introspection = errors.New("it calls a token active that nobody has")
	}
	return t
}
