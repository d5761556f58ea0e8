package authz

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zitadel/oidc/v3/pkg/client/rs"

	"avatard/authz/limit"
	"avatard/internal/ids"
)

// What IntrospectionConfig leaves to choose: the documented default of the cache, and the time-out for its zero value.
const (
	DefaultCacheTTL             = 5 * time.Second
	DefaultIntrospectionTimeout = 2500 * time.Millisecond
)

// IntrospectionConfig says which provider to ask about tokens, and what they must be.
type IntrospectionConfig struct {
	// Issuer is the provider's issuer, exactly as it spells it: an http or https URL without query and fragment.
	// Its discovery document tells where to introspect. Required.
	Issuer string
	// DiscoveryURL is where that document is, where it is not at the issuer's /.well-known/openid-configuration, such as at an
	// internal address or at RFC 8414's /.well-known/oauth-authorization-server. Its issuer must be Issuer all the same. "" = there.
	DiscoveryURL string
	// IntrospectionEndpoint is where to introspect; no discovery document is read then. "" = what the document says.
	IntrospectionEndpoint string
	// ClientID is this server's client at the introspection endpoint. Required.
	ClientID string
	// ClientSecret proves it (client_secret_basic). Required unless there is a ClientKey.
	ClientSecret string
	// ClientKey proves it with a signature (private_key_jwt, RFC 7523 section 2.2), instead of ClientSecret.
	ClientKey ClientKey
	// Audience must be among the audiences of every token. Required.
	Audience string
	// DefaultOrganization is the organisation of callers whose token names none, for providers that know no organisations. "" = they
	// have none.
	DefaultOrganization string
	// ProjectID is the project whose roles count. "" = no roles: callers can act on their own account only.
	ProjectID string
	// AllowPAT lets tokens in that were issued to no client, as ZITADEL's personal access tokens are. Those hold
	// whatever audience asks for them.
	AllowPAT bool
	// AllowImpersonation lets tokens in with which somebody else acts as the subject (claim act, RFC 8693 section 4.1). Who that
	// is stands in Identity.Actors. Otherwise the error is ErrImpersonation.
	AllowImpersonation bool
	// CacheTTL is how long an answer may be used again, and so how long a revoked token may live on. 0 = every
	// call asks the provider, and none shares the answer of another. See DefaultCacheTTL.
	CacheTTL time.Duration
	// Timeout bounds what one call waits for the provider, discovery and waiting for a place included.
	// 0 = DefaultIntrospectionTimeout.
	Timeout time.Duration
	// UnknownPerSecond and UnknownBurst bound how many tokens that were not active within the last ten minutes are
	// looked up for one client address; over them the error is ErrFlood. 0 = DefaultUnknownPerSecond and
	// DefaultUnknownBurst; UnknownPerSecond below 0 = no bound.
	UnknownPerSecond float64
	UnknownBurst     int
	// UnknownWaiting and UnknownWaitingPerAddress bound how many calls with such tokens wait for the provider at one time, in all
	// and of one client address; over them the error is ErrFlood. 0 = DefaultUnknownWaiting and DefaultUnknownWaitingPerAddress.
	UnknownWaiting, UnknownWaitingPerAddress int
	// CarryToken gives every Identity the token it came from, as a Credential, for a Source that asks the provider.
	CarryToken bool
	// Now is the clock that token and cache times are compared with. nil = time.Now. Timeout uses real time.
	Now func() time.Time
	// HTTPClient gives the transport, which is asked not to use a connection again (http.Request.Close). Its time-out,
	// redirect policy and cookies are not used. nil, or a nil transport = an own one, which keeps connections over
	// HTTP/2 only: over HTTP/1.1 an answer too many would be taken for that about the next token.
	HTTPClient *http.Client
	// UserAgent is what requests to the provider are sent as (RFC 9110 section 10.1.5), so that its operators know whose they are.
	// "" = avatard.
	UserAgent string
	// Logger hears of a provider that fails, and of its recovery, and of more tokens than are asked about, each at most
	// every ten seconds: never a token and nothing the provider said. nil = silence.
	Logger *slog.Logger
	// Observer hears what the provider is asked, for metrics. nil = nobody does.
	Observer Observer
}

// check returns every fault of the configuration at once.
func (cfg IntrospectionConfig) check() error {
	var faults []error
	u, err := url.Parse(cfg.Issuer)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		faults = append(faults, errors.New("issuer must be an http or https URL without query and fragment"))
	}
	if cfg.DefaultOrganization != "" && !ids.Valid(cfg.DefaultOrganization) {
		faults = append(faults, errors.New("the default organisation must be an id"))
	}
	for _, u := range []string{cfg.DiscoveryURL, cfg.IntrospectionEndpoint} {
		if parsed, err := url.Parse(u); u != "" && (err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "") {
			faults = append(faults, errors.New("discovery URL and introspection endpoint must be http or https URLs"))
		}
	}
	for _, field := range []struct{ name, value string }{
		{"client id", cfg.ClientID}, {"audience", cfg.Audience},
	} {
		if field.value == "" {
			faults = append(faults, fmt.Errorf("introspection needs a value: %s", field.name))
		}
	}
	faults = append(faults, credentials{clientID: cfg.ClientID, secret: cfg.ClientSecret, key: cfg.ClientKey}.check())
	if cfg.CacheTTL < 0 || cfg.Timeout < 0 {
		faults = append(faults, errors.New("introspection cache ttl and time-out must not be negative"))
	}
	return errors.Join(faults...)
}

// Introspector is the [Authenticator] that asks an OAuth 2 provider about each token (RFC 7662), with a short memory.
//
// When the provider does not answer, or answers anything but an introspection response, the error is ErrUnavailable:
// nobody is let in, and nobody is told that their token is bad. A provider that keeps failing, for several tokens,
// is left alone for a moment and then tried with single calls; a token for which it fails is not asked about for a moment. Tokens that were not active of late are limited for each client address (see
// [WithClientAddress] and [ErrFlood]) and leave room for those that were.
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

	// The steps, and for introspection one for each kind of token.
	discovery, introspectKnown, introspectUnknown *operation

	provider        atomic.Pointer[provider] // nil until discovery succeeded
	failures        atomic.Int32             // introspections since the last answer or rediscovery
	mu              sync.Mutex               // guards the following
	discoveryFlight *flight[*provider]       // nil when none is under way
	discovered      time.Time                // when the provider was found, or looked for again
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
	if cfg.UnknownPerSecond == 0 {
		cfg.UnknownPerSecond, cfg.UnknownBurst = DefaultUnknownPerSecond, DefaultUnknownBurst
	}
	if cfg.UnknownWaiting <= 0 {
		cfg.UnknownWaiting = DefaultUnknownWaiting
	}
	if cfg.UnknownWaitingPerAddress <= 0 {
		cfg.UnknownWaitingPerAddress = DefaultUnknownWaitingPerAddress
	}
	keys, err := newKeyHash()
	if err != nil {
		return nil, err
	}
	in := &Introspector{
		keys:  keys,
		cache: newCache[validation](cfg.CacheTTL, cfg.Now),
		providerClient: &providerClient{
			client:      newClient(cfg.HTTPClient, cfg.Timeout, cmp.Or(cfg.UserAgent, "avatard")),
			timeout:     cfg.Timeout,
			now:         cfg.Now,
			concurrency: newConcurrencyLimit(),
			log:         cfg.Logger,
			overload:    &overloadLog{log: cfg.Logger, now: cfg.Now},

			observer: cfg.Observer,
		},
		rules: rules{issuer: cfg.Issuer, audience: cfg.Audience, projectID: cfg.ProjectID, allowPAT: cfg.AllowPAT,
			allowImpersonation: cfg.AllowImpersonation},
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

// identity returns who a token stands for now.
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
	if p == nil { // nothing is known of any token, so all count, the wait for discovery included
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
	q.ask = func(ctx context.Context) (validation, error) { return in.askAbout(ctx, p, op, token, &q, deadline) }
	v, err = in.cache.do(caller, deadline, q)
	return v, in.waitError(caller, op, err)
}

// askAbout asks what a token stands for, and takes note of how that went. s is the step for tokens of its kind.
func (in *Introspector) askAbout(caller context.Context, p *provider, op *operation, token string, q *question[validation], deadline time.Time) (validation, error) {
	v, err := do(caller, in.providerClient, op, questionKeys{q.key, q.key}, deadline, func(ctx context.Context) (validation, error) {
		v, err := in.introspect(ctx, p, token, q.key, q.known)
		if err == nil || contextError(caller) == nil {
			in.noteIntrospection(err)
		}
		return v, err
	})
	if err == nil {
		in.known.note(q.key, v.accepted(), in.now())
	}
	return v, err
}

// introspect asks what a token stands for. known tells that it was active of late: then its end is believed of a provider that is well.
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
