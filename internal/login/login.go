// Package login signs a person in at an identity provider from the command line, and keeps the tokens for later commands.
//
//	provider.go  which provider a server goes by, and where its endpoints are
//	login.go     the authorization code flow with PKCE (RFC 6749, 7636), back to a loopback port (RFC 8252)
//	callback.go  what comes back to that port
//	store.go     the file of a login
//	tokens.go    tokens from that file, refreshed; their end
//
// The provider's library for applications, package rp, is not used: it keeps state in cookies, for servers. An ID token is not looked at,
// because nothing here depends on who signed in; the server asks the provider about each access token.
package login

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"example.org/avatard/internal/client"
)

// callbackPath is where the browser comes back to. Providers compare it with what they know of the application.
const callbackPath = "/callback"

// callLimit bounds each request to the provider.
const callLimit = 30 * time.Second

// Request is one signing in.
type Request struct {
	Provider Provider
	// Show is handed the address that is to be opened in a browser.
	Show func(address string) error
	HTTP *http.Client
}

// Run signs somebody in. It waits for them as long as ctx lasts.
func Run(ctx context.Context, req Request) (tokens Tokens, err error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return tokens, err
	}
	config := req.Provider.config()
	config.RedirectURL = "http://" + ln.Addr().String() + callbackPath
	state, verifier := oauth2.GenerateVerifier(), oauth2.GenerateVerifier() // 256 random bits each
	back := newCallback(state, req.Provider)
	srv := &http.Server{Handler: back, ReadHeaderTimeout: callLimit, MaxHeaderBytes: 64 << 10}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second) // for the page that says that all is well
		defer cancel()
		if srv.Shutdown(end) != nil {
			_ = srv.Close()
		}
		if served := <-served; err == nil && !errors.Is(served, http.ErrServerClosed) {
			err = served
		}
	}()
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier)}
	if slices.Contains(config.Scopes, offline) {
		options = append(options, oauth2.SetAuthURLParam("prompt", "consent")) // without it providers leave the refresh token out
	}
	if err := req.Show(config.AuthCodeURL(state, options...)); err != nil {
		return tokens, err
	}
	code, err := back.wait(ctx)
	if err != nil {
		return tokens, err
	}
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, req.HTTP), callLimit)
	defer cancel()
	got, err := config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return tokens, providerError("the provider gave no token", err, code, verifier)
	}
	return tokensOf(got)
}

// Tokens are what a provider gave.
type Tokens struct {
	Access string `json:"accessToken"`
	// Refresh gets the next ones, "" where the provider gives none.
	Refresh string `json:"refreshToken,omitempty"`
	// Expires is when Access ends; zero = unknown.
	Expires time.Time `json:"expires,omitzero"`
}

func tokensOf(got *oauth2.Token) (Tokens, error) {
	if got.Type() != "Bearer" {
		return Tokens{}, errors.New("the provider gave a token that is not for bearers")
	}
	if err := client.CheckToken(got.AccessToken); err != nil {
		return Tokens{}, fmt.Errorf("the provider's answer: %w", err)
	}
	return Tokens{Access: got.AccessToken, Refresh: got.RefreshToken, Expires: got.Expiry.UTC()}, nil
}

// providerError says what a provider answered that was sent secrets. The library's own text has all of the answer, which may hold anything.
func providerError(what string, err error, secrets ...string) error {
	answer, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return fmt.Errorf("%w: %s: the identity provider does not answer as it should", client.ErrUnreachable, what)
	}
	switch {
	case answer.ErrorCode != "":
		return fmt.Errorf("%w: %s: %s", client.ErrNotPermitted, what, client.Printable(answer.ErrorCode+" "+answer.ErrorDescription, secrets...))
	case answer.Response != nil && answer.Response.StatusCode >= 500:
		return fmt.Errorf("%w: %s: it answered %d", client.ErrUnreachable, what, answer.Response.StatusCode)
	}
	return fmt.Errorf("%s: the identity provider does not answer as it should", what)
}
