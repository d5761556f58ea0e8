package authz

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/zitadel/oidc/v3/pkg/client"
	"github.com/zitadel/oidc/v3/pkg/client/rs"
)

// ClientKey is a private key that a client proves itself with. The zero value is none.
type ClientKey struct {
	// ID is the key's name at the provider (kid).
	ID string
	// PEM is the key, PKCS #1 or PKCS #8: RSA, ECDSA on P-256 or Ed25519.
	PEM []byte
	// ClientID is the client that the key belongs to, "" when the file did not say.
	ClientID string
}

// Format keeps the key out of prints.
func (k ClientKey) Format(w fmt.State, _ rune) { fmt.Fprintf(w, "[client key %s]", k.ID) }

func (k ClientKey) given() bool { return k.ID != "" || len(k.PEM) > 0 }

// ParseClientKey reads the JSON file that ZITADEL gives out for the key of an API application. Its errors repeat
// nothing of the file.
func ParseClientKey(file []byte) (ClientKey, error) {
	var content struct {
		KeyID    string `json:"keyId"`
		Key      string `json:"key"`
		ClientID string `json:"clientId"`
	}
	if err := json.Unmarshal(file, &content); err != nil {
		return ClientKey{}, errors.New("no JSON key file")
	}
	k := ClientKey{ID: content.KeyID, PEM: []byte(content.Key), ClientID: content.ClientID}
	return k, k.check()
}

// check signs something, so that a key that cannot sign is found at the start.
func (k ClientKey) check() error {
	if k.ID == "" || len(k.PEM) == 0 {
		return errors.New("client key: needs keyId and key")
	}
	signer, err := client.NewSignerFromPrivateKeyByte(k.PEM, k.ID)
	if err == nil {
		_, err = client.SignedJWTProfileAssertion("client", []string{"issuer"}, time.Hour, signer)
	}
	if err != nil { // its text may show what was read
		return errors.New("client key: cannot sign with it; needs a PEM private key, RSA, ECDSA on P-256 or Ed25519")
	}
	return nil
}

// credentials are what this server proves itself to the provider with: a secret or a key.
type credentials struct {
	clientID, secret string
	key              ClientKey
	// authorize returns what the library puts into a question: a header, or members of the form.
	authorize func() (any, error)
}

// newCredentials returns credentials that can be used at an issuer, or what is wrong with them.
func newCredentials(issuer, clientID, secret string, key ClientKey) (*credentials, error) {
	c := &credentials{clientID: clientID, secret: secret, key: key}
	if err := c.check(); err != nil {
		return nil, err
	}
	// Only the authorization that the library makes of them is needed, so the endpoints are never used.
	nowhere := rs.WithStaticEndpoints("none:", "none:")
	build := func() (rs.ResourceServer, error) {
		if key.given() {
			return rs.NewResourceServerJWTProfile(context.Background(), issuer, clientID, key.ID, key.PEM, nowhere)
		}
		return rs.NewResourceServerClientCredentials(context.Background(), issuer, clientID, secret, nowhere)
	}
	server, err := build()
	if err != nil {
		return nil, errors.New("client credentials: cannot be used") // the library's text may show them
	}
	c.authorize = server.AuthFn
	return c, nil
}

func (c credentials) check() error {
	switch {
	case c.secret == "" && !c.key.given():
		return errors.New("introspection needs a value: client secret or client key")
	case c.secret != "" && c.key.given():
		return errors.New("introspection takes a secret or a key, not both")
	case !c.key.given():
		return nil
	case c.key.ClientID != "" && c.key.ClientID != c.clientID:
		return errors.New("client key: belongs to another client id")
	}
	return c.key.check()
}

// resourceServer describes the provider to the library: the introspection endpoint and the current credentials.
type resourceServer struct {
	client      *http.Client
	endpoint    string
	credentials *atomic.Pointer[credentials]
}

// IntrospectionURL, TokenEndpoint, HttpClient and AuthFn implement rs.ResourceServer. No token is ever requested.
func (r resourceServer) IntrospectionURL() string { return r.endpoint }
func (r resourceServer) TokenEndpoint() string    { return "" }
func (r resourceServer) HttpClient() *http.Client { return r.client } //nolint:staticcheck // the name that the interface has
func (r resourceServer) AuthFn() (any, error)     { return r.credentials.Load().authorize() }

// UseCredentials replaces what this server proves itself to the provider with: a secret or a key, of the client it has. Questions
// that begin from now on use them. Credentials that cannot be used change nothing.
func (in *Introspector) UseCredentials(secret string, key ClientKey) error {
	fresh, err := newCredentials(in.rules.issuer, in.credentials.Load().clientID, secret, key)
	if err == nil {
		in.credentials.Store(fresh)
	}
	return err
}
