package devidp

import (
	"context"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// RevokeToken is the revocation endpoint (RFC 7009 section 2.1): a client revokes its own tokens, and a token that
// is unknown already does what revocation wants.
func (s *store) RevokeToken(_ context.Context, id, subject, clientID string) *oidc.Error {
	foreign := false
	s.revoke(id, subject, func(t *token) bool {
		foreign = t.client != clientID
		return !foreign
	})
	if foreign {
		return oidc.ErrInvalidClient().WithDescription("the token was issued to another client")
	}
	return nil
}

// machineRequest is a client credentials request that has been checked (op.TokenRequest).
type machineRequest struct {
	subject  string
	clientID string
	scopes   []string
}

func (r machineRequest) GetSubject() string    { return r.subject }
func (r machineRequest) GetAudience() []string { return projectsOf(r.scopes) }
func (r machineRequest) GetScopes() []string   { return r.scopes }

// ClientCredentialsTokenRequest drops the scopes that mean nothing here.
func (s *store) ClientCredentialsTokenRequest(_ context.Context, clientID string, scopes []string) (op.TokenRequest, error) {
	c := s.provider.clients[clientID]
	if c == nil || c.kind != machineClient {
		return nil, oidc.ErrUnauthorizedClient()
	}
	known := slices.DeleteFunc(slices.Clone(scopes), func(scope string) bool {
		return scope != oidc.ScopeOpenID && scope != oidc.ScopeProfile && !c.IsScopeAllowed(scope)
	})
	return machineRequest{subject: c.account, clientID: clientID, scopes: known}, nil
}

// CreateAccessToken stores the token of a request that the library has checked.
func (s *store) CreateAccessToken(_ context.Context, req op.TokenRequest) (string, time.Time, error) {
	t := token{subject: req.GetSubject(), scopes: req.GetScopes(), audience: req.GetAudience()}
	switch r := req.(type) {
	case machineRequest:
		t.client = r.clientID
	case *signIn:
		t.client = r.clientID
	default:
		return "", time.Time{}, oidc.ErrUnsupportedGrantType()
	}
	id, expires, err := s.addToken(t)
	if err != nil {
		return "", time.Time{}, oidc.ErrServerError().WithParent(err)
	}
	return id, expires, nil
}

// CreateAccessAndRefreshTokens refuses: no client has the refresh token grant, so the library does not ask.
func (s *store) CreateAccessAndRefreshTokens(context.Context, op.TokenRequest, string) (string, string, time.Time, error) {
	return "", "", time.Time{}, oidc.ErrUnsupportedGrantType()
}

// TokenRequestByRefreshToken refuses, likewise.
func (s *store) TokenRequestByRefreshToken(context.Context, string) (op.RefreshTokenRequest, error) {
	return nil, op.ErrInvalidRefreshToken
}

// GetRefreshTokenInfo tells the revocation endpoint that a token is not a refresh token.
func (s *store) GetRefreshTokenInfo(context.Context, string, string) (string, string, error) {
	return "", "", op.ErrInvalidRefreshToken
}
