package devidp

import (
	"context"
	"crypto/ecdsa"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// ES256, because making an RSA key can take a second of the start.
const signingAlgorithm = jose.ES256

// The one key of a process needs no name that differs from start to start.
const keyID = "1"

type privateKey struct{ key *ecdsa.PrivateKey }

func (k privateKey) ID() string                                  { return keyID }
func (k privateKey) SignatureAlgorithm() jose.SignatureAlgorithm { return signingAlgorithm }
func (k privateKey) Key() any                                    { return k.key }

type publicKey struct{ key *ecdsa.PublicKey }

func (k publicKey) ID() string                         { return keyID }
func (k publicKey) Algorithm() jose.SignatureAlgorithm { return signingAlgorithm }
func (k publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                           { return k.key }

// SigningKey is the key that ID tokens are signed with.
func (s *store) SigningKey(context.Context) (op.SigningKey, error) { return privateKey{s.key}, nil }

// SignatureAlgorithms is for the discovery document.
func (s *store) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{signingAlgorithm}, nil
}

// KeySet is what the keys endpoint shows.
func (s *store) KeySet(context.Context) ([]op.Key, error) {
	return []op.Key{publicKey{&s.key.PublicKey}}, nil
}

// Health always passes: memory is there or the process is not.
func (s *store) Health(context.Context) error { return nil }
