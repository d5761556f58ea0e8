// Package envelope encrypts pictures, each with a key of its own, and wraps those keys with one that the operator keeps.
//
//	Keys (a file, keys.go) ─► Seal: picture ─► ciphertext for the bucket, wrapped key for the database
//	                       ├► Open: the way back
//	                       ├► Rewrap: a wrapped key, wrapped by the newest key of the file
//	                       └► Wrap, Unwrap: a key that is no picture's
//
// A picture is encrypted with AES-256-GCM; its generation is bound to both the ciphertext and the wrapped key, so that neither can
// stand in for another one's. No nonce is used twice: a picture's key encrypts one picture, and the nonces of wrapping are random.
package envelope

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
)

// keyBytes is the size of every key: AES-256.
const keyBytes = 32

// Overhead is how many bytes the ciphertext is longer than the picture: nonce and tag.
const Overhead = 12 + 16

// ErrNoKey: the key that wraps this picture's is not in the file any more.
var ErrNoKey = errors.New("no key of that id")

// ErrOtherKey: the key that the file has under that id does not unwrap this picture's. Two files may have different keys of one id.
var ErrOtherKey = errors.New("the key of that id is another one")

// errBroken says nothing of what was wrong: it may be the key, the generation or the bytes.
var errBroken = errors.New("the ciphertext does not fit its key and its generation")

func aead(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Seal encrypts a picture. The wrapped key begins with the id of the key that wraps it.
func (k *Keys) Seal(generation, picture []byte) (ciphertext, wrapped []byte, err error) {
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key)
	defer clear(key)
	sealing, err := aead(key)
	if err != nil {
		return nil, nil, err
	}
	id, wrapping, err := k.newest()
	if err != nil {
		return nil, nil, err
	}
	wrapped = wrap(id, wrapping, key, generation)
	return sealing.Seal(make([]byte, 0, len(picture)+Overhead), nil, picture, generation), wrapped, nil //nolint:gosec // the cipher makes the nonce
}

// Open decrypts a picture in place: what it returns lies in ciphertext.
func (k *Keys) Open(generation, ciphertext, wrapped []byte) ([]byte, error) {
	key, _, err := k.unwrap(generation, wrapped)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	sealing, err := aead(key)
	if err != nil {
		return nil, err
	}
	picture, err := sealing.Open(ciphertext[:0], nil, ciphertext, generation)
	if err != nil {
		return nil, errBroken
	}
	return picture, nil
}

// Rewrap wraps a picture's key with the newest key; changed is false when it is so already.
func (k *Keys) Rewrap(generation, wrapped []byte) (newer []byte, changed bool, err error) {
	key, id, err := k.unwrap(generation, wrapped)
	if err != nil {
		return nil, false, err
	}
	defer clear(key)
	newest, wrapping, err := k.newest()
	if err != nil || id == newest {
		return nil, false, err
	}
	return wrap(newest, wrapping, key, generation), true, nil
}

// Wrap encrypts a key of 32 bytes that is no picture's, which Rewrap takes, too. What it is for is bound to it as a picture's generation is, and
// must not have the length of one.
func (k *Keys) Wrap(purpose, key []byte) (wrapped []byte, err error) {
	id, wrapping, err := k.newest()
	if err != nil {
		return nil, err
	}
	return wrap(id, wrapping, key, purpose), nil
}

// Unwrap is the way back from Wrap.
func (k *Keys) Unwrap(purpose, wrapped []byte) (key []byte, err error) {
	key, _, err = k.unwrap(purpose, wrapped)
	return key, err
}

// wrap encrypts a picture's key. The result begins with the id of the key that does it.
func wrap(id string, wrapping cipher.AEAD, key, generation []byte) []byte {
	return wrapping.Seal(prefix(id), nil, key, generation) //nolint:gosec // the cipher makes the nonce
}

// prefix is what a picture's key begins with that the key of an id wraps.
func prefix(id string) []byte { return append([]byte{byte(len(id))}, id...) }

// NewestPrefix is what a picture's key begins with that the newest key wraps.
func (k *Keys) NewestPrefix() []byte {
	id, _, _ := k.newest() // a file without keys is refused
	return prefix(id)
}

func (k *Keys) unwrap(generation, wrapped []byte) (key []byte, id string, err error) {
	if len(wrapped) < 1 || len(wrapped) < 1+int(wrapped[0]) {
		return nil, "", errBroken
	}
	id, rest := string(wrapped[1:1+wrapped[0]]), wrapped[1+wrapped[0]:]
	wrapping, err := k.find(id)
	if err != nil {
		return nil, id, fmt.Errorf("%w: %q", err, id)
	}
	key, err = wrapping.Open(nil, nil, rest, generation)
	if err != nil || len(key) != keyBytes {
		return nil, id, fmt.Errorf("%w: %q", ErrOtherKey, id)
	}
	return key, id, nil
}
