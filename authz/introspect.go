package authz

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zitadel/oidc/v3/pkg/client/rs"
)

// What IntrospectionConfig leaves to choose: the documented default of the cache, and the time-out for its zero value.
const (
	DefaultCacheTTL             = 5 * time.Second
	DefaultIntrospectionTimeout = 2500 * time.Millisecond
)

var errNoPlace = fmt.Errorf("no place among %d introspections in time", maxConcurrent)

// IntrospectionConfig says which provider to ask about tokens, and what they must be.
type IntrospectionConfig struct {
	// Issuer is the provider's issuer, exactly as it spells it: an http or https URL without query and fragment.
	// Its discovery document tells where to introspect. Required.
	Issuer string
	// ClientID and ClientSecret authenticate this server at the introspection endpoint (client_secret_basic).
	// Required.
	ClientID, ClientSecret string
	// Audience must be among the audiences of every token. Required.
	Audience string
	// ProjectID is the project whose roles count. "" = no roles: callers can act on their own account only.
	ProjectID string
	// AllowPAT lets tokens in that were issued to no client, as ZITADEL's personal access tokens are. Those hold
	// whatever audience asks for them.
	AllowPAT bool
	// CacheTTL is how long an answer may be used again, and so how long a revoked token may live on. 0 = every
	// call asks the provider, and none shares the answer of another. See DefaultCacheTTL.
	CacheTTL time.Duration
	// Timeout bounds what one call waits for the provider, discovery and waiting for a place included.
	// 0 = DefaultIntrospectionTimeout.
	Timeout time.Duration
	// Now is the clock that token and cache times are compared with. nil = time.Now. Timeout uses real time.
	Now func() time.Time
	// HTTPClient gives the transport. Its time-out, redirect policy and cookies are not used. nil, or a nil
	// transport = an own one that keeps 64 idle connections.
	HTTPClient *http.Client
	// Logger hears of a provider that fails, at most every ten seconds, and of its recovery: never a token and
	// nothing the provider said. nil = silence.
	Logger *slog.Logger
}

// check returns every fault of the configuration at once.
func (cfg IntrospectionConfig) check() error {
	var faults []error
	u, err := url.Parse(cfg.Issuer)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		faults = append(faults, errors.New("issuer must be an http or https URL without query and fragment"))
	}
	for _, field := range []struct{ name, value string }{
		{"client id", cfg.ClientID}, {"client secret", cfg.ClientSecret}, {"audience", cfg.Audience},
	} {
		if field.value == "" {
			faults = append(faults, fmt.Errorf("introspection needs a value: %s", field.name))
		}
	}
	if cfg.CacheTTL < 0 || cfg.Timeout < 0 {
		faults = append(faults, errors.New("introspection cache ttl and time-out must not be negative"))
	}
	return errors.Join(faults...)
}

// Introspector is the [Authenticator] that asks an OAuth 2 provider about each token (RFC 7662), with a short memory.
//
// When the provider does not answer, or answers anything but an introspection response, the error is ErrUnavailable:
// nobody is let in, and nobody is told that their token is bad.
type Introspector struct {
	rules                  rules
	clientID, clientSecret string
	timeout                time.Duration
	now                    func() time.Time
	client                 *http.Client
	cache                  *cache        // nil when nothing is to be kept
	places                 chan struct{} // one token for each introspection under way
	outage                 outage

	provider    atomic.Pointer[provider] // nil until discovery succeeded
	mu          sync.Mutex               // guards discovering
	discovering *call[*provider]         // nil when none is under way
}

var _ Authenticator = (*Introspector)(nil)

// NewIntrospector checks cfg and returns an Introspector. It does not talk to the provider yet.
func NewIntrospector(cfg IntrospectionConfig) (*Introspector, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultIntrospectionTimeout
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	in := &Introspector{
		rules:        rules{issuer: cfg.Issuer, audience: cfg.Audience, projectID: cfg.ProjectID, allowPAT: cfg.AllowPAT},
		clientID:     cfg.ClientID,
		clientSecret: cfg.ClientSecret,
		timeout:      cfg.Timeout,
		now:          cfg.Now,
		client:       newClient(cfg.HTTPClient, cfg.Timeout),
		places:       make(chan struct{}, maxConcurrent),
		outage:       outage{log: cfg.Logger, now: cfg.Now},
	}
	if cfg.CacheTTL > 0 {
		in.cache = newCache(cfg.CacheTTL, cfg.Now)
	}
	return in, nil
}

// Authenticate identifies the sender of a request by its Authorization header. The texts of its errors are for the
// log; none holds a piece of the token or of what the provider said.
func (in *Introspector) Authenticate(ctx context.Context, header http.Header) (Identity, error) {
	token, err := bearerToken(header)
	if err != nil {
		return Identity{}, err
	}
	if p := in.provider.Load(); p != nil && in.cache != nil {
		now := in.now()
		if v := in.cache.get(p.key(token), now); v != nil {
			return v.at(now)
		}
	}
	v, err := in.lookUp(ctx, token)
	if err != nil {
		return Identity{}, err
	}
	return v.at(in.now())
}

// lookUp asks the provider, alone or together with others, and waits no longer than the time-out.
func (in *Introspector) lookUp(ctx context.Context, token string) (verdict, error) {
	deadline := time.Now().Add(in.timeout)
	waiting, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()

	p, err := in.discover(waiting, deadline)
	var v verdict
	switch {
	case err != nil:
	case in.cache == nil:
		v, err = in.introspect(ctx, deadline, p, token)
	default:
		v, err = in.cache.share(waiting, p.key(token), func(own context.Context) (verdict, error) {
			return in.introspect(own, deadline, p, token)
		})
	}
	switch {
	case err == nil:
		return v, nil
	case ended(ctx) != nil:
		return verdict{}, ended(ctx)
	case errors.Is(err, ErrUnavailable):
		return verdict{}, err
	}
	return verdict{}, fmt.Errorf("%w: no answer within %v", ErrUnavailable, in.timeout)
}

// introspect asks about one token as soon as there is a place for it. What ends with the caller's context is no
// failure of the provider and not reported as one.
func (in *Introspector) introspect(caller context.Context, deadline time.Time, p *provider, token string) (v verdict, err error) {
	ctx, cancel := context.WithDeadline(caller, deadline)
	defer cancel()
	defer func() {
		panicked := recover()
		if err == nil || ended(caller) == nil || panicked != nil {
			err = in.report(stepIntrospection, panicked, err)
		}
	}()
	select {
	case in.places <- struct{}{}:
		defer func() { <-in.places }()
	case <-ctx.Done():
		return verdict{}, errNoPlace
	}
	a, err := rs.Introspect[answer](ctx, p.resourceServer, token)
	if err != nil {
		return verdict{}, err
	}
	return in.rules.judge(a)
}

// ended returns the error of a context that is over. A network deadline taken from a context can fire a moment before
// the context itself, so the time counts too.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}
