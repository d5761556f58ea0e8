package login

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"example.org/avatard/internal/client"
)

// Provider is an identity provider, and the public client that people sign in as.
type Provider struct {
	Issuer   string   `json:"issuer"`
	ClientID string   `json:"clientId"`
	Scopes   []string `json:"scopes"`
	// AuthorizationURL, TokenURL and RevocationURL are its endpoints; the last one is "" where there is none.
	AuthorizationURL string `json:"authorizationUrl"`
	TokenURL         string `json:"tokenUrl"`
	RevocationURL    string `json:"revocationUrl,omitempty"`

	namesItself bool // whenever it sends somebody back (RFC 9207)
}

func (p Provider) config() *oauth2.Config {
	return &oauth2.Config{ClientID: p.ClientID, Scopes: p.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: p.AuthorizationURL, TokenURL: p.TokenURL, AuthStyle: oauth2.AuthStyleInParams}}
}

// offline asks for a refresh token (OpenID Connect Core section 11).
const offline = "offline_access"

// maxDocument bounds what is read of a server's or provider's description.
const maxDocument = 4 << 20

// ErrNoSignIn: the server does not say how people sign in.
var ErrNoSignIn = errors.New("the server does not say how people sign in")

// OfServer asks a server of avatard for its provider, by issuer, client and scopes alone.
func OfServer(ctx context.Context, hc *http.Client, server string) (Provider, error) {
	var document struct {
		Components struct {
			SecuritySchemes struct {
				OAuth2 struct {
					SignIn struct{ Issuer, ClientID string } `json:"x-avatard-sign-in"`
					Flows  struct {
						AuthorizationCode struct{ Scopes map[string]string }
					}
				}
			}
		}
		Security []struct{ OAuth2 []string }
	}
	if err := fetch(ctx, hc, server+"/openapi.json", &document); err != nil {
		return Provider{}, err
	}
	in := document.Components.SecuritySchemes.OAuth2.SignIn
	if in.Issuer == "" || in.ClientID == "" || len(document.Security) == 0 {
		return Provider{}, ErrNoSignIn
	}
	return Provider{Issuer: in.Issuer, ClientID: in.ClientID, Scopes: document.Security[0].OAuth2}, nil
}

// Discover completes a provider by what it says of itself (OpenID Connect Discovery 1.0). Where it offers refresh tokens, it is asked for one.
func Discover(ctx context.Context, hc *http.Client, p Provider) (Provider, error) {
	if _, err := client.Address(p.Issuer, false); err != nil {
		return p, fmt.Errorf("the issuer %s %w", client.Printable(p.Issuer), err)
	}
	var document struct {
		Issuer        string   `json:"issuer"`
		Authorization string   `json:"authorization_endpoint"`
		Token         string   `json:"token_endpoint"`
		Revocation    string   `json:"revocation_endpoint"`
		Scopes        []string `json:"scopes_supported"`
		NamesItself   bool     `json:"authorization_response_iss_parameter_supported"`
	}
	if err := fetch(ctx, hc, strings.TrimSuffix(p.Issuer, "/")+"/.well-known/openid-configuration", &document); err != nil {
		return p, err
	}
	if document.Issuer != p.Issuer {
		return p, fmt.Errorf("the provider calls itself %s, not %s", client.Printable(document.Issuer), client.Printable(p.Issuer))
	}
	for _, endpoint := range []string{document.Authorization, document.Token, document.Revocation} {
		if _, err := client.Address(endpoint, false); endpoint != "" && err != nil {
			return p, fmt.Errorf("an endpoint of the provider, %s, %w", client.Printable(endpoint), err)
		}
	}
	if document.Authorization == "" || document.Token == "" {
		return p, errors.New("the provider names no endpoints for signing in")
	}
	p.AuthorizationURL, p.TokenURL, p.RevocationURL, p.namesItself = document.Authorization, document.Token, document.Revocation, document.NamesItself
	if slices.Contains(document.Scopes, offline) && !slices.Contains(p.Scopes, offline) {
		p.Scopes = append(slices.Clone(p.Scopes), offline)
	}
	return p, nil
}

// fetch reads a JSON document.
func fetch(ctx context.Context, hc *http.Client, address string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	res, err := hc.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %s does not answer", client.ErrUnreachable, address)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %d", address, res.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxDocument)).Decode(into); err != nil {
		return fmt.Errorf("%s is not the document that was expected there", address)
	}
	return nil
}
