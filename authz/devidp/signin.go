package devidp

import (
	"context"
	"crypto/subtle"
	"errors"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// A sign-in that is not finished in time is forgotten, and so many may be under way at once.
const (
	signInLifetime = 10 * time.Minute
	maxSignIns     = 1000
)

var (
	errNoSignIn = errors.New("no such sign-in, or it has ended")
	errBusy     = errors.New("too many sign-ins under way")
)

// signIn is one authorization request on its way from the authorize endpoint over the login page to the token
// endpoint (op.AuthRequest). The store hands out copies.
type signIn struct {
	id        string
	formToken string // proves that a login came from our own page
	clientID  string
	request   oidc.AuthRequest
	started   time.Time

	subject    string // "" until somebody has signed in
	authTime   time.Time
	codeIssued bool
}

func (a *signIn) GetID() string                      { return a.id }
func (a *signIn) GetACR() string                     { return "" }
func (a *signIn) GetAMR() []string                   { return nil } // no proof of identity was asked for
func (a *signIn) GetAuthTime() time.Time             { return a.authTime }
func (a *signIn) GetClientID() string                { return a.clientID }
func (a *signIn) GetNonce() string                   { return a.request.Nonce }
func (a *signIn) GetRedirectURI() string             { return a.request.RedirectURI }
func (a *signIn) GetResponseType() oidc.ResponseType { return a.request.ResponseType }
func (a *signIn) GetResponseMode() oidc.ResponseMode { return a.request.ResponseMode }
func (a *signIn) GetScopes() []string                { return a.request.Scopes }
func (a *signIn) GetState() string                   { return a.request.State }
func (a *signIn) GetSubject() string                 { return a.subject }
func (a *signIn) Done() bool                         { return a.subject != "" }
func (a *signIn) GetCodeChallenge() *oidc.CodeChallenge {
	return &oidc.CodeChallenge{Challenge: a.request.CodeChallenge, Method: a.request.CodeChallengeMethod}
}

// GetAudience names the application beside the projects: an ID token is for it.
func (a *signIn) GetAudience() []string {
	return append([]string{a.clientID}, projectsOf(a.request.Scopes)...)
}

// CreateAuthRequest begins a sign-in. The library has checked client, redirect URI, scopes and response type.
func (s *store) CreateAuthRequest(_ context.Context, req *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	// RFC 7636 section 4.4.1. Without this the library would find out at the token endpoint only, and would take
	// the method "plain".
	if req.CodeChallenge == "" || req.CodeChallengeMethod != oidc.CodeChallengeMethodS256 {
		return nil, oidc.ErrInvalidRequest().WithDescription("a code_challenge with the method S256 is required")
	}
	if slices.Contains(req.Prompt, oidc.PromptNone) {
		return nil, oidc.ErrLoginRequired()
	}
	id, err := s.random.name()
	if err != nil {
		return nil, oidc.ErrServerError().WithParent(err)
	}
	formToken, err := s.random.name()
	if err != nil {
		return nil, oidc.ErrServerError().WithParent(err)
	}
	now := s.provider.cfg.Now()
	a := &signIn{id: id, formToken: formToken, clientID: req.ClientID, request: *req, started: now}

	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.signIns) >= maxSignIns {
		s.forgetSignIns(now)
		if len(s.signIns) >= maxSignIns {
			return nil, oidc.ErrServerError().WithParent(errBusy)
		}
	}
	s.signIns[id] = a
	copied := *a
	return &copied, nil
}

// forgetSignIns drops what was not finished in time. s.mu is held.
func (s *store) forgetSignIns(now time.Time) {
	for id, a := range s.signIns {
		if now.Sub(a.started) >= signInLifetime {
			delete(s.signIns, id)
		}
	}
	for code, id := range s.codes {
		if s.signIns[id] == nil {
			delete(s.codes, code)
		}
	}
}

// findSignIn returns a sign-in that has not ended. s.mu is held.
func (s *store) findSignIn(id string) (*signIn, error) {
	a := s.signIns[id]
	if a == nil || s.provider.cfg.Now().Sub(a.started) >= signInLifetime {
		return nil, errNoSignIn
	}
	return a, nil
}

// pendingSignIn returns a copy of a sign-in that is not finished.
func (s *store) pendingSignIn(id string) (signIn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.findSignIn(id)
	if err != nil || a.Done() {
		return signIn{}, errNoSignIn
	}
	return *a, nil
}

// finishSignIn records the user who signed in. The second call for one sign-in is refused.
func (s *store) finishSignIn(id, formToken, subject string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.findSignIn(id)
	if err != nil {
		return err
	}
	if a.Done() || subtle.ConstantTimeCompare([]byte(a.formToken), []byte(formToken)) != 1 {
		return errNoSignIn
	}
	a.subject, a.authTime = subject, s.provider.cfg.Now()
	return nil
}

// AuthRequestByID finds a sign-in for the callback behind the login page.
func (s *store) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.findSignIn(id)
	if err != nil {
		return nil, oidc.ErrInvalidRequest().WithDescription("the sign-in has ended")
	}
	copied := *a
	return &copied, nil
}

// SaveAuthCode remembers the one code of a sign-in.
func (s *store) SaveAuthCode(_ context.Context, id, code string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.findSignIn(id)
	if err != nil || a.codeIssued {
		return oidc.ErrInvalidRequest().WithDescription("the sign-in has ended")
	}
	a.codeIssued = true
	s.codes[code] = id
	return nil
}

// AuthRequestByCode takes a code in. It is used up by that, also when the rest of the request turns out wrong
// (RFC 6749 section 4.1.2: not more than once).
func (s *store) AuthRequestByCode(_ context.Context, code string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, ok := s.codes[code]
	if !ok {
		return nil, errNoSignIn
	}
	a, err := s.findSignIn(id)
	delete(s.codes, code)
	delete(s.signIns, id)
	if err != nil {
		return nil, err
	}
	copied := *a
	return &copied, nil
}

// DeleteAuthRequest forgets a sign-in.
func (s *store) DeleteAuthRequest(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.signIns, id)
	return nil
}

// TerminateSession has nothing to end: there are no sessions, every sign-in asks anew.
func (s *store) TerminateSession(context.Context, string, string) error { return nil }
