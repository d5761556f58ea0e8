package authz

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zitadel/oidc/v3/pkg/client/rs"

	"example.org/avatard/authz/limit"
)

// Introspector is the [Authenticator] that asks an OAuth 2 provider about each token (RFC 7662), with a short memory.
//
// When the provider does not answer, or answers anything but an introspection response, the error is ErrUnavailable:
// no caller is let in, and no caller is told that their token is bad. A provider that keeps failing for several tokens is not asked for
// a moment and then tried with single questions (a circuit breaker); a token for which it fails is not asked about for a moment. Tokens
// that were not active of late are limited for each client address (see [WithClientAddress] and [ErrRateLimited]) and leave capacity for
// those that were.
type Introspector struct {
	*providerClient
	rules          rules
	endpoints      endpointConfig
	credentials    atomic.Pointer[credentials]
	carryToken     bool
	defaultOrg     string // of callers whose token names none
	keys           *keyHash
	cache          *cache[validation]
	known          *knownTokens
	unknownRate    *limit.RateLimiter[netip.Addr]
	unknownWaiting waitLimit
	rejections     *rejections
	// confirmation is about tokens that turn inactive.
	confirmation *confirmation

	// The operations, of which introspection has one for each kind of token.
	discovery, introspectKnown, introspectUnknown *operation

	provider        atomic.Pointer[provider] // nil until discovery succeeded
	failures        atomic.Int32             // introspections since the last answer or rediscovery
	mu              sync.Mutex               // guards the following
	discoveryFlight *flight[*provider]       // nil while there is none
	discovered      time.Time                // when the provider was found, or looked for again
}

var _ Authenticator = (*Introspector)(nil)

// NewIntrospector checks cfg and returns an Introspector. It does not talk to the provider yet.
func NewIntrospector(cfg IntrospectionConfig) (*Introspector, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	keys, err := newKeyHash()
	if err != nil {
		return nil, err
	}
	in := &Introspector{
		keys:  keys,
		cache: newCache[validation](cfg.CacheTTL, cfg.Now),
		providerClient: &providerClient{
			client:      newClient(cfg.HTTPClient, cfg.Timeout, cfg.UserAgent),
			timeout:     cfg.Timeout,
			now:         cfg.Now,
			concurrency: newConcurrencyLimit(),
			log:         cfg.Logger,
			overload:    &overloadLog{log: cfg.Logger, now: cfg.Now},

			observer: cfg.Observer,
		},
		rules: rules{issuer: cfg.Issuer, audience: cfg.Audience, projectID: cfg.ProjectID, allowPAT: cfg.AllowPAT,
			allowImpersonation: cfg.AllowImpersonation, claims: cfg.Claims.clone(), defaultOrg: cfg.DefaultOrganization},
		endpoints:  endpointConfig{discovery: cfg.DiscoveryURL, introspection: cfg.IntrospectionEndpoint},
		carryToken: cfg.CarryToken,
		defaultOrg: cfg.DefaultOrganization,
		known:      newKnownTokens(cfg.CacheTTL),
		unknownRate: limit.NewRateLimiter[netip.Addr](limit.Rate{PerSecond: cfg.UnknownPerSecond, Burst: cfg.UnknownBurst},
			maxAddresses, cfg.Now),
		unknownWaiting: waitLimit{total: cfg.UnknownWaiting, perAddress: cfg.UnknownWaitingPerAddress, byAddress: make(map[netip.Addr]int)},
	}
	own, err := newCredentials(cfg.Issuer, cfg.ClientID, cfg.ClientSecret, cfg.ClientKey)
	if err != nil {
		return nil, err
	}
	in.credentials.Store(own)
	failureLog := &failureLog{log: cfg.Logger, now: cfg.Now}
	in.rejections = newRejections(cfg.Now)
	in.confirmation = &confirmation{now: cfg.Now, ask: func(deadline time.Time) error {
		_, err := in.fetchProvider(deadline)
		return err
	}}
	failed := newFailedQuestions(cfg.Now)
	in.discovery = in.newOperation(operationDiscovery, unlimited, failureLog, nil)
	in.introspectKnown = in.newOperation(operationIntrospection, highPriority, failureLog, failed)
	in.introspectUnknown = in.newOperation(operationIntrospection, lowPriority, failureLog, failed)
	in.introspectKnown.sibling = in.introspectUnknown
	return in, nil
}

// Authenticate identifies the sender of a request by its Authorization header. The texts of its errors are for the
// log; none holds a piece of the token or of what the provider said.
func (in *Introspector) Authenticate(ctx context.Context, header http.Header) (Identity, error) {
	token, err := bearerToken(header)
	if err != nil {
		return Identity{}, err
	}
	if p := in.provider.Load(); p != nil && in.cache.enabled() {
		now := in.now()
		if v := in.cache.get(in.keys.of(p.keyPrefix, token), now); v != nil {
			return in.identity(v, now, token)
		}
	}
	v, err := in.lookUp(ctx, token)
	if err != nil {
		return Identity{}, err
	}
	return in.identity(&v, in.now(), token)
}

// identity returns the user that a token stands for now.
func (in *Introspector) identity(v *validation, now time.Time, token string) (Identity, error) {
	id, err := v.identityAt(now)
	if err == nil && id.Organization == "" {
		id.Organization = in.defaultOrg
	}
	if err == nil && in.carryToken {
		id.Credential = NewCredential(token)
	}
	return id, err
}

// lookUp asks the provider, alone or together with others, and waits no longer than the time-out.
func (in *Introspector) lookUp(caller context.Context, token string) (v validation, err error) {
	deadline := time.Now().Add(in.timeout)
	p, counted := in.provider.Load(), false
	if p == nil { // no token is known yet, so all count, and already while they wait for discovery
		leave, err := in.limitUnknownWaiting(caller)
		if err != nil {
			return validation{}, err
		}
		defer leave()
		if err := in.limitUnknownRate(caller); err != nil {
			return validation{}, err
		}
		if p, err = in.discover(caller, deadline); err != nil {
			return validation{}, in.waitError(caller, in.discovery, err)
		}
		counted = true
	}
	q := question[validation]{key: in.keys.of(p.keyPrefix, token)}
	op := in.introspectUnknown
	if err := in.failedBefore(op, q.key, in.cache.enabled()); err != nil {
		return validation{}, err
	}
	if q.known = in.known.has(q.key, in.now()); q.known {
		op = in.introspectKnown
	} else if !counted {
		leave, err := in.limitUnknownWaiting(caller)
		if err != nil {
			return validation{}, err
		}
		defer leave()
		q.admit = func() error { return in.limitUnknownRate(caller) }
	}
	key := q.key // so that q stays on the stack
	q.ask = func(ctx context.Context) (validation, error) { return in.askAbout(ctx, p, op, token, key, deadline) }
	v, err = in.cache.do(caller, deadline, q)
	return v, in.waitError(caller, op, err)
}

// askAbout asks what a token stands for, and records how that went. op is the operation for tokens of its kind.
func (in *Introspector) askAbout(caller context.Context, p *provider, op *operation, token string, key cacheKey, deadline time.Time) (validation, error) {
	v, err := do(caller, in.providerClient, op, questionKeys{key, key}, deadline, func(ctx context.Context) (validation, error) {
		v, err := in.introspect(ctx, p, token, key, op == in.introspectKnown)
		if err == nil || contextError(caller) == nil {
			in.noteIntrospection(err)
		}
		return v, err
	})
	if err == nil {
		in.known.note(key, v.accepted(), in.now())
	}
	return v, err
}

// introspect asks what a token stands for. known tells that it was active of late: that such a token has ended is believed only of a
// provider whose discovery document can be had.
func (in *Introspector) introspect(ctx context.Context, p *provider, token string, key cacheKey, known bool) (validation, error) {
	v, err := in.introspectNow(ctx, p, token, key)
	if err == nil && known && v.refused != nil && (v.refused.Reason == ReasonInactive || v.refused.Reason == ReasonRejected) {
		err = in.confirmation.check(ctx)
	}
	if err != nil {
		return validation{}, err
	}
	return v, nil
}

// introspectNow returns what the provider says a token stands for.
func (in *Introspector) introspectNow(ctx context.Context, p *provider, token string, key cacheKey) (validation, error) {
	question := in.rejections.begin()
	a, err := rs.Introspect[introspectionResponse](ctx, p.resourceServer, token)
	if status, ok := errors.AsType[statusError](err); ok {
		return in.rejections.classify(key, status)
	}
	if err != nil {
		return validation{}, err
	}
	in.rejections.recordAnswer(question, key)
	return in.rules.validate(a)
}
