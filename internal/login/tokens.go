package login

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"example.org/avatard/internal/client"
)

// early is how long before its end a token counts as over, so that it does not end on its way.
const early = 30 * time.Second

// Source hands out the tokens of a login and refreshes them. It implements client.Tokens.
type Source struct {
	Store  Store
	Server string
	HTTP   *http.Client
	// Now is the clock.
	Now func() time.Time
}

// Token implements client.Tokens.
func (s *Source) Token(ctx context.Context, rejected string) (string, error) {
	l, err := s.Store.Load(s.Server)
	if err != nil {
		return "", err
	}
	if s.isGood(l, rejected) {
		return l.Access, nil
	}
	unlock, err := s.Store.lock(s.Server)
	if err != nil {
		return "", err
	}
	defer unlock()
	if l, err = s.Store.Load(s.Server); err != nil {
		return "", err
	}
	if s.isGood(l, rejected) { // refreshed by another command meanwhile
		return l.Access, nil
	}
	if l.Refresh == "" {
		return "", s.over()
	}
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, s.HTTP), callLimit)
	defer cancel()
	got, err := l.Provider.config().TokenSource(ctx, &oauth2.Token{RefreshToken: l.Refresh}).Token()
	if err != nil {
		err = providerError("the login could not be refreshed", err, l.Refresh)
		if errors.Is(err, client.ErrNotPermitted) {
			return "", fmt.Errorf("%w; %w", err, s.over())
		}
		return "", err
	}
	before := l.Tokens
	if l.Tokens, err = tokensOf(got); err != nil { // the library keeps a refresh token that is not replaced
		return "", err
	}
	return l.Access, s.keep(ctx, l, before)
}

// keep writes what a refresh of before gave. Where the file was exchanged or removed meanwhile, which the lock keeps others from on most systems,
// that stays, and the tokens are ended.
func (s *Source) keep(ctx context.Context, l Login, before Tokens) error {
	if now, err := s.Store.Load(s.Server); err != nil || now.Access != before.Access || now.Refresh != before.Refresh {
		_, _ = Revoke(ctx, s.HTTP, l)
		return fmt.Errorf("%w: the login for %s was changed while it was refreshed; try again", client.ErrNotPermitted, s.Server)
	}
	return s.Store.write(l)
}

func (s *Source) isGood(l Login, rejected string) bool {
	return l.Access != rejected && (l.Expires.IsZero() || s.Now().Add(early).Before(l.Expires))
}

func (s *Source) over() error {
	return fmt.Errorf("%w: the login for %s is over; avatard login --url %s", client.ErrNotPermitted, s.Server, s.Server)
}

// Revoke tells the provider that the tokens of a login are not to be used any more (RFC 7009); false when it has no place for that.
func Revoke(ctx context.Context, hc *http.Client, l Login) (bool, error) {
	if l.Provider.RevocationURL == "" {
		return false, nil
	}
	var errs []error
	for hint, token := range map[string]string{"refresh_token": l.Refresh, "access_token": l.Access} {
		if token != "" {
			errs = append(errs, revoke(ctx, hc, l.Provider, hint, token))
		}
	}
	return true, errors.Join(errs...)
}

func revoke(ctx context.Context, hc *http.Client, p Provider, hint, token string) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	form := url.Values{"token": {token}, "token_type_hint": {hint}, "client_id": {p.ClientID}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.RevocationURL, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := hc.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %s does not answer", client.ErrUnreachable, p.RevocationURL)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %d", p.RevocationURL, res.StatusCode)
	}
	return nil
}
