package devidp

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
)

// maxSealedBytes bounds what is looked at; the texts made here are about 100 characters.
const maxSealedBytes = 2048

var errNotSealed = errors.New("not one of ours")

// sealer makes the text of access tokens and authorization codes and reads it again (op.Crypto).
//
// A text is AES-256-GCM over a random nonce, in base64url, and has exactly one spelling: with any character
// changed, cut off or added it opens to nothing. The library's own encryption is not used because it falls back to
// AES-CFB, whose texts can be shortened or lengthened and still open.
type sealer struct {
	aead   cipher.AEAD
	random *randomness
}

func newSealer(random *randomness) (*sealer, error) {
	key, err := random.read(32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("set up AES: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("set up GCM: %w", err)
	}
	return &sealer{aead: aead, random: random}, nil
}

// Encrypt returns a new text for plain.
func (s *sealer) Encrypt(plain string) (string, error) {
	nonce, err := s.random.read(s.aead.NonceSize())
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nonce, nonce, []byte(plain), nil)), nil
}

// Decrypt returns what text was made from.
func (s *sealer) Decrypt(text string) (string, error) {
	if len(text) > maxSealedBytes {
		return "", errNotSealed
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	// The decoder passes over line ends and over the unused bits of the last character; only the spelling that
	// Encrypt gives is accepted.
	if err != nil || len(raw) < s.aead.NonceSize() || base64.RawURLEncoding.EncodeToString(raw) != text {
		return "", errNotSealed
	}
	nonce, sealed := raw[:s.aead.NonceSize()], raw[s.aead.NonceSize():]
	plain, err := s.aead.Open(nil, nonce, sealed, nil)
	if err != nil {
		return "", errNotSealed
	}
	return string(plain), nil
}
