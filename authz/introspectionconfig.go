package authz

import (
	"cmp"
	"errors"
	"example.org/avatard/internal/ids"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"
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
	// Claims are the places of roles and organisation in the provider's answers. nil = ZITADEL's claims, whose roles name the organisations
	// that they count in.
	Claims *ClaimPaths
	// ProjectID is the project whose roles count. "" = no roles: callers can act on their own account only. It is
	// not looked at with Claims.
	ProjectID string
	// AllowPAT lets tokens in that were issued to no client, as ZITADEL's personal access tokens are. Those hold
	// whatever audience asks for them.
	AllowPAT bool
	// AllowImpersonation lets tokens in with which somebody else acts as the subject (claim act, RFC 8693 section 4.1). Who that
	// is stands in Identity.Actors. Otherwise the error is ErrImpersonation.
	AllowImpersonation bool
	// CacheTTL is how long an answer may be used again, and so how long a revoked token may live on. 0 = every
	// call asks the provider, and no call shares the answer of another. See DefaultCacheTTL.
	CacheTTL time.Duration
	// Timeout bounds how long one call waits for the provider, discovery and the wait for capacity included.
	// 0 = DefaultIntrospectionTimeout.
	Timeout time.Duration
	// UnknownPerSecond and UnknownBurst bound how many tokens that were not active within the last ten minutes are
	// looked up for one client address; over them the error is ErrRateLimited. 0 = DefaultUnknownPerSecond and
	// DefaultUnknownBurst; UnknownPerSecond below 0 = no bound.
	UnknownPerSecond float64
	UnknownBurst     int
	// UnknownWaiting and UnknownWaitingPerAddress bound how many calls with such tokens wait for the provider at one time, in all
	// and of one client address; over them the error is ErrRateLimited. 0 = DefaultUnknownWaiting and DefaultUnknownWaitingPerAddress.
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
	// Logger gets lines about a provider that fails, about its recovery and about more tokens than are asked about, each at most
	// every ten seconds, and never a token or anything the provider said. nil = no lines.
	Logger *slog.Logger
	// Observer is called for every question to the provider, for metrics. nil = none.
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
	if err := cfg.Claims.check(); err != nil {
		faults = append(faults, err)
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

// withDefaults returns the configuration with the documented value for every field that was left out.
func (cfg IntrospectionConfig) withDefaults() IntrospectionConfig {
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
	cfg.UserAgent = cmp.Or(cfg.UserAgent, "avatard")
	return cfg
}
