package devidp

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"
)

// Scopes that ZITADEL defines beside those of OpenID Connect.
const (
	// ScopeOrganization asks that answers name the organisation of the account.
	ScopeOrganization = "urn:zitadel:iam:user:resourceowner"

	scopePrefix    = "urn:zitadel:iam:"
	audiencePrefix = "urn:zitadel:iam:org:project:id:"
	audienceSuffix = ":aud"
)

// ScopeAudience returns the scope that puts a project into the audience of a token.
func ScopeAudience(projectID string) string { return audiencePrefix + projectID + audienceSuffix }

// defaultMaxTokens bounds the memory of a provider that somebody plays a load test on.
const defaultMaxTokens = 100_000

var (
	errInactive = errors.New("token is not active")
	errFull     = errors.New("too many live tokens")
	errNoToken  = errors.New("not a token of this provider")
)

// TokenSpec says what access token to make. Only Subject is needed.
type TokenSpec struct {
	// Subject is the id of a person or a machine.
	Subject string
	// Scopes of the token; nil = openid, profile, the organisation and the audience of the project.
	Scopes []string
	// Audience of the token; nil = the projects that the scopes name. Introspection calls a token inactive
	// when neither the asking client nor its project is in it.
	Audience []string
	// Expires is when the token ends or ended; zero = after the configured lifetime.
	Expires time.Time
	// Revoked tokens are made and then revoked.
	Revoked bool
	// Personal makes it a personal access token: introspection names no client and counts the client that asks among its
	// audience.
	Personal bool
}

// token is an access token as the provider remembers it. It is not changed after it was stored, but for revoked.
type token struct {
	id       string
	subject  string
	client   string // "" for a personal access token
	scopes   []string
	audience []string
	issued   time.Time
	expires  time.Time
	revoked  bool
}

func (t *token) active(now time.Time) bool { return !t.revoked && now.Before(t.expires) }

// Mint makes an access token without any grant, as tests and seeds need them, and returns its text.
func (p *Provider) Mint(spec TokenSpec) (string, error) {
	account, ok := p.accounts[spec.Subject]
	if !ok {
		return "", fmt.Errorf("mint a token: no account %q", spec.Subject)
	}
	t := token{
		subject:  spec.Subject,
		client:   p.clientOf(account),
		scopes:   spec.Scopes,
		audience: spec.Audience,
		expires:  spec.Expires,
		revoked:  spec.Revoked,
	}
	if t.scopes == nil {
		t.scopes = p.scopesSupported()
	}
	if t.audience == nil {
		t.audience = projectsOf(t.scopes)
	}
	if spec.Personal {
		t.client = ""
	}
	id, _, err := p.store.addToken(t)
	if err != nil {
		return "", fmt.Errorf("mint a token for %q: %w", spec.Subject, err)
	}
	return op.CreateBearerToken(id, spec.Subject, p.seal)
}

// clientOf returns the client through which an account gets its tokens.
func (p *Provider) clientOf(account Account) string {
	if c := p.clients[account.Login]; c != nil && c.account == account.ID {
		return c.id
	}
	return p.cfg.ApplicationID
}

// Revoke revokes an access token by its text, whatever client it was issued to. Revoking twice is fine.
func (p *Provider) Revoke(text string) error {
	plain, err := p.seal.Decrypt(text)
	if err != nil {
		return errNoToken
	}
	id, subject, ok := strings.Cut(plain, ":")
	if !ok || !p.store.revoke(id, subject, nil) {
		return errNoToken
	}
	return nil
}

// addToken stores a token under a new id, giving it its times where they are missing.
func (s *store) addToken(t token) (id string, expires time.Time, err error) {
	if t.id, err = s.random.name(); err != nil {
		return "", time.Time{}, err
	}
	now := s.provider.cfg.Now()
	if t.expires.IsZero() {
		t.expires = now.Add(s.provider.cfg.TokenLifetime)
	}
	t.issued = now
	if t.expires.Before(now) {
		t.issued = t.expires.Add(-s.provider.cfg.TokenLifetime)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tokens) >= s.maxTokens {
		for old, stored := range s.tokens {
			if !stored.active(now) {
				delete(s.tokens, old)
			}
		}
		if len(s.tokens) >= s.maxTokens {
			return "", time.Time{}, errFull
		}
	}
	s.tokens[t.id] = &t
	return t.id, t.expires, nil
}

// liveToken returns a copy of an active token. Id and subject must both fit: the library reads them from the text,
// and for some requests takes the text itself for an id.
func (s *store) liveToken(id, subject string) (token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tokens[id]
	if t == nil || t.subject != subject || !t.active(s.provider.cfg.Now()) {
		return token{}, errInactive
	}
	return *t, nil
}

// revoke reports whether the token is known and mayRevoke, if given, agreed.
func (s *store) revoke(id, subject string, mayRevoke func(*token) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tokens[id]
	if t == nil || t.subject != subject || mayRevoke != nil && !mayRevoke(t) {
		return false
	}
	t.revoked = true
	return true
}

// projectsOf returns the projects that the scopes ask into the audience.
func projectsOf(scopes []string) []string {
	var projects []string
	for _, scope := range scopes {
		project, ok := strings.CutPrefix(scope, audiencePrefix)
		if !ok {
			continue
		}
		if project, ok = strings.CutSuffix(project, audienceSuffix); ok && project != "" {
			projects = append(projects, project)
		}
	}
	return projects
}
