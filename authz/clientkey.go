package authz

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// check signs something, so that a key which cannot is found at the start.
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

// resourceServer returns the library's client for introspection.
func (c credentials) resourceServer(ctx context.Context, issuer string, options ...rs.Option) (rs.ResourceServer, error) {
	if c.key.given() {
		return rs.NewResourceServerJWTProfile(ctx, issuer, c.clientID, c.key.ID, c.key.PEM, options...)
	}
	return rs.NewResourceServerClientCredentials(ctx, issuer, c.clientID, c.secret, options...)
}
