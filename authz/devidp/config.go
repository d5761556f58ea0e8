package devidp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// DefaultTokenLifetime is how long an access token lives unless Config says otherwise.
const DefaultTokenLifetime = 12 * time.Hour

// Config says which people, machines and clients a provider knows, and where it is.
type Config struct {
	// Issuer is the URL of the provider, for example http://127.0.0.1:8080/idp. Its host must be loopback: the
	// login page asks for no password.
	Issuer string
	// ProjectID is the project whose roles the people and machines hold. It is also the audience that a resource
	// server of that project expects in a token.
	ProjectID string
	// Organizations are those that exist; accounts and their roles may name no others.
	Organizations []Organization
	// People can sign in on the login page.
	People []Account
	// Machines get tokens by the client credentials grant; their login name is their client id.
	Machines []Account
	// Permissions says what the roles allow, for callers who ask. The zero value allows nothing.
	Permissions Permissions
	// IntrospectionClient is the client of the resource server. An empty secret means a random one.
	IntrospectionClient Client
	// ApplicationID is the client id of the public application through which people sign in (authorization code
	// with PKCE, no secret). Empty: there is none.
	ApplicationID string
	// RedirectURIs are where that application may send people back to. On a loopback address any port goes with
	// the path given (RFC 8252 section 7.3).
	RedirectURIs []string
	// AllowedOrigin reports whether a web page of an origin may read the answers of the endpoints that an application in a browser calls
	// itself: discovery, keys, token, userinfo, revocation (CORS, never with the browser's credentials). nil = none.
	AllowedOrigin func(origin string) bool
	// TokenLifetime is how long an access token lives. 0 means DefaultTokenLifetime.
	TokenLifetime time.Duration
	// Now is the clock of access tokens and sign-ins, nil = time.Now. The library dates ID tokens by the wall
	// clock, whatever this says.
	Now func() time.Time
	// Rand is where secrets, token ids and nonces come from, nil = crypto/rand. The standard library makes the
	// signing key from its own source.
	Rand io.Reader
}

// Organization is one organisation of the provider.
type Organization struct {
	ID     string
	Name   string
	Domain string
}

// Account is a person or a machine.
type Account struct {
	// ID becomes the subject of tokens.
	ID string
	// Login is the user name; for a machine it is the client id, too.
	Login string
	// Name is for people to read.
	Name string
	// Organization is the id of the organisation that the account lives in.
	Organization string
	// Roles holds the roles of the project: role → ids of the organisations it is granted in.
	Roles map[string][]string
}

// Client is a client id with its secret.
type Client struct {
	ID     string
	Secret string
}

func (c Client) withSecret(p *Provider) Client {
	return Client{ID: c.ID, Secret: p.clients[c.ID].secret}
}

// check returns the parsed issuer, or the first fault.
func (c Config) check() (*url.URL, error) {
	issuer, err := url.Parse(c.Issuer)
	if err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	switch {
	case issuer.Scheme != "http" && issuer.Scheme != "https":
		return nil, fmt.Errorf("issuer %q: need an http or https URL", c.Issuer)
	case !loopback(issuer.Hostname()):
		return nil, fmt.Errorf("issuer %q: the host must be localhost or a loopback address", c.Issuer)
	case c.Issuer != issuer.Scheme+"://"+issuer.Host+issuer.Path || !plainPath(issuer.Path):
		return nil, fmt.Errorf("issuer %q: need scheme, host and a plain path without final slash, and nothing else", c.Issuer)
	case c.ProjectID == "":
		return nil, errors.New("the project id is missing")
	case c.IntrospectionClient.ID == "":
		return nil, errors.New("the id of the introspection client is missing")
	case c.TokenLifetime < 0:
		return nil, fmt.Errorf("token lifetime %v: need a positive one", c.TokenLifetime)
	}
	for _, uri := range c.RedirectURIs {
		if u, err := url.Parse(uri); err != nil || !u.IsAbs() || u.Fragment != "" {
			return nil, fmt.Errorf("redirect URI %q: need an absolute one without fragment", uri)
		}
	}
	return issuer, c.checkAccounts()
}

func (c Config) checkAccounts() error {
	organizations := make(map[string]bool)
	for _, org := range c.Organizations {
		if org.ID == "" || organizations[org.ID] {
			return fmt.Errorf("organisation id %q is empty or taken", org.ID)
		}
		organizations[org.ID] = true
	}
	ids := make(map[string]bool)
	logins := map[string]bool{c.IntrospectionClient.ID: true, c.ApplicationID: true}
	for _, account := range slices.Concat(c.People, c.Machines) {
		// The library joins token id and subject with a colon and refuses what has two.
		if account.ID == "" || strings.Contains(account.ID, ":") || ids[account.ID] {
			return fmt.Errorf("account id %q is empty, taken or has a colon", account.ID)
		}
		if account.Login == "" || logins[account.Login] {
			return fmt.Errorf("account %q: login %q is empty or taken", account.ID, account.Login)
		}
		ids[account.ID], logins[account.Login] = true, true
		if !organizations[account.Organization] {
			return fmt.Errorf("account %q: no organisation %q", account.ID, account.Organization)
		}
		for role, granted := range account.Roles {
			for _, org := range granted {
				if !organizations[org] {
					return fmt.Errorf("account %q: role %q in no organisation %q", account.ID, role, org)
				}
			}
		}
	}
	return nil
}

// plainPath reports whether a path has nothing in it that a router would read in a way of its own.
func plainPath(s string) bool {
	if s == "" {
		return true
	}
	odd := func(r rune) bool {
		return !strings.ContainsRune("/-._~", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}
	return s != "/" && path.Clean(s) == s && !strings.ContainsFunc(s, odd)
}

func loopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}
