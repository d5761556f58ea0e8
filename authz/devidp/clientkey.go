package devidp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

var errUnknownKey = errors.New("unknown key")

// maxClientKeys bounds the keys of a provider; asking for one more is a mistake.
const maxClientKeys = 100

// NewClientKey makes a key for the introspection client, beside its secret, and returns the file that ZITADEL gives out
// with one. The provider keeps the public half.
func (p *Provider) NewClientKey() (file []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), p.cfg.Rand)
	if err != nil {
		return nil, fmt.Errorf("make a client key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make a client key: %w", err)
	}
	id, err := p.store.random.name()
	if err != nil {
		return nil, err
	}
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	if len(p.store.clientKeys) >= maxClientKeys {
		return nil, fmt.Errorf("make a client key: there are %d already", maxClientKeys)
	}
	p.store.clientKeys[id] = &key.PublicKey
	return json.Marshal(map[string]string{
		"type":     "application",
		"keyId":    id,
		"key":      string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"appId":    p.cfg.IntrospectionClient.ID,
		"clientId": p.cfg.IntrospectionClient.ID,
	})
}

// GetKeyByIDAndClientID finds the key that a client says it has signed with (RFC 7523 section 3). Only the introspection
// client has keys.
func (s *store) GetKeyByIDAndClientID(_ context.Context, id, clientID string) (*jose.JSONWebKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := s.clientKeys[id]
	if key == nil || clientID != s.provider.cfg.IntrospectionClient.ID {
		return nil, errUnknownKey
	}
	return &jose.JSONWebKey{Key: key, KeyID: id, Algorithm: string(signingAlgorithm), Use: "sig"}, nil
}

// ValidateJWTProfileScopes refuses: a key proves a client at introspection and cannot be used to get a token.
func (s *store) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, errors.New("no tokens for keys here")
}
