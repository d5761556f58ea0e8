// Package devidp is the identity provider of "avatard dev": a small OAuth 2 and OpenID Connect provider that lives in
// memory, on the same port as the server, and answers in the shape of a ZITADEL instance.
//
// It exists so that the server can be tried out and tested against real discovery, real introspection and real
// tokens with nothing else installed. It is not for production: anyone who can reach it may sign in as any of
// its people with one click, which is why it takes loopback issuers only, and everything it knows is gone when the
// process ends. It decides nothing about avatars and imports nothing of the server.
//
//	config.go    people, machines, clients     handler.go  routes, discovery
//	seed.go      the fixed world of "dev"      login.go    the page that asks who you are
//	token.go     tokens, Mint, Revoke          signin.go   authorization requests and codes
//	grants.go    tokens for the library        client.go   the clients, for the library
//	claims.go    what the answers say          keys.go     the signing key, for the library
//	permissions.go  what a token's bearer may do
//	users.go     users, for those who may read them
//	clientkey.go    keys in place of the client secret
//	seal.go      the text of a token
package devidp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Provider is a running identity provider. All methods may be called concurrently.
type Provider struct {
	cfg           Config
	accounts      map[string]Account // by id
	people        []Account
	organizations map[string]Organization
	clients       map[string]*client // by client id

	store   *store
	seal    *sealer
	library *op.Provider
	handler http.Handler

	introspections atomic.Int64
}

// New starts a provider with keys and secrets of its own. It takes a few milliseconds and opens nothing. The error
// names the first setting that makes no sense.
func New(cfg Config) (*Provider, error) {
	issuer, err := cfg.check()
	if err != nil {
		return nil, fmt.Errorf("development identity provider: %w", err)
	}
	cfg = cfg.withDefaults()
	random := &randomness{from: cfg.Rand}

	p := &Provider{
		cfg:           cfg,
		accounts:      make(map[string]Account),
		people:        cfg.People,
		organizations: make(map[string]Organization),
	}
	for _, org := range cfg.Organizations {
		p.organizations[org.ID] = org
	}
	for _, account := range cfg.People {
		p.accounts[account.ID] = account
	}
	for _, account := range cfg.Machines {
		p.accounts[account.ID] = account
	}
	if p.clients, err = newClients(cfg, random); err != nil {
		return nil, err
	}
	if p.seal, err = newSealer(random); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), cfg.Rand)
	if err != nil {
		return nil, fmt.Errorf("make the signing key: %w", err)
	}
	p.store = &store{
		provider:  p,
		random:    random,
		key:       key,
		maxTokens: defaultMaxTokens,
		tokens:    make(map[string]*token),
		signIns:   make(map[string]*signIn),
		codes:     make(map[string]string),

		clientKeys: make(map[string]*ecdsa.PublicKey),
	}
	p.library, err = op.NewProvider(
		&op.Config{CodeMethodS256: true, AuthMethodPost: true, SupportedScopes: p.scopesSupported()},
		p.store, op.StaticIssuer(cfg.Issuer),
		op.WithAllowInsecure(), // The issuer is on loopback: Config.check saw to it.
		op.WithCrypto(p.seal),
		op.WithCORSOptions(nil), // The library's lets any page read, with the browser's credentials; see Config.AllowedOrigin.
		op.WithIDTokenHintVerifierOpts(op.WithSupportedIDTokenHintSigningAlgorithms(string(signingAlgorithm))),
	)
	if err != nil {
		return nil, fmt.Errorf("set up the provider: %w", err)
	}
	p.handler = p.routes(issuer.Path)
	return p, nil
}

// Handler serves everything below the path of the issuer. Requests outside it are answered with 404.
func (p *Provider) Handler() http.Handler { return p.handler }

// IntrospectionClient returns the client that a resource server asks with.
func (p *Provider) IntrospectionClient() Client { return p.cfg.IntrospectionClient.withSecret(p) }

// MachineClient returns the client of the machine of that login name, for the client credentials grant.
// ok is false when there is none.
func (p *Provider) MachineClient(login string) (c Client, ok bool) {
	found := p.clients[login]
	if found == nil || found.kind != machineClient {
		return Client{}, false
	}
	return Client{ID: login, Secret: found.secret}, true
}

// Introspections tells how many introspection requests have arrived, the refused ones included.
func (p *Provider) Introspections() int64 { return p.introspections.Load() }

// store is what the library keeps its state in (op.Storage): tokens, sign-ins and keys, all in memory and bounded.
type store struct {
	provider *Provider
	random   *randomness
	key      *ecdsa.PrivateKey

	maxTokens int

	mu      sync.Mutex
	tokens  map[string]*token  // by token id
	signIns map[string]*signIn // by the id of the authorization request
	codes   map[string]string  // authorization code → id of its request

	clientKeys map[string]*ecdsa.PublicKey // of the introspection client, by key id
}

var (
	_ op.Storage                  = (*store)(nil)
	_ op.ClientCredentialsStorage = (*store)(nil)
)

// randomness hands out names that cannot be guessed. An io.Reader need not be safe for concurrent use; this is.
type randomness struct {
	mu   sync.Mutex
	from io.Reader
}

func (r *randomness) read(n int) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := make([]byte, n)
	if _, err := io.ReadFull(r.from, b); err != nil {
		return nil, fmt.Errorf("read randomness: %w", err)
	}
	return b, nil
}

// name returns 128 random bits as 22 characters of base64url.
func (r *randomness) name() (string, error) {
	b, err := r.read(16)
	return base64.RawURLEncoding.EncodeToString(b), err
}

func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.TokenLifetime == 0 {
		c.TokenLifetime = DefaultTokenLifetime
	}
	return c
}

func (p *Provider) scopesSupported() []string {
	return []string{oidc.ScopeOpenID, oidc.ScopeProfile, ScopeOrganization, ScopeAudience(p.cfg.ProjectID)}
}
