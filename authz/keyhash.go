package authz

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"sync"
)

// cacheKey is the hash of everything an answer depends on: issuer, endpoint, client and the whole token. The token
// itself is not kept.
type cacheKey [16]byte

// keyHash makes cache keys: the tag that AES-GCM gives a text under a key of this process' own (GMAC, NIST SP 800-38D). Without
// the key two texts can be made to collide only by a chance of about length ÷ 2¹³² each try, and keys never leave the
// process. With the processors' own instructions it takes a tenth of the time of SHA-256, which was the most expensive part of looking up
// a token of a kilobyte.
type keyHash struct {
	gcm     cipher.AEAD
	buffers sync.Pool // of *[]byte
}

// maxPooledBytes is how large a buffer may be to be used again. Tokens are seldom longer.
const maxPooledBytes = 16 << 10

// One text has one tag only because all share a nonce. That is safe as no tag is ever shown to anybody.
var keyNonce [12]byte

func newKeyHash() (*keyHash, error) {
	var key [16]byte
	rand.Read(key[:]) // never fails, see its documentation
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &keyHash{gcm: gcm}, nil
}

// of returns the key of a text that begins with prefix and goes on with parts, each behind its length.
func (h *keyHash) of(prefix []byte, parts ...string) (key cacheKey) {
	// Not on the stack: two kilobytes there make every goroutine of a new HTTP/2 stream grow its own.
	room, _ := h.buffers.Get().(*[]byte)
	if room == nil {
		room = new([]byte)
	}
	text := append((*room)[:0], prefix...)
	for _, part := range parts {
		text = appendPart(text, part)
	}
	n := len(text)
	text = h.gcm.Seal(text, keyNonce[:], nil, text) //nolint:gosec // nothing is encrypted, and no tag is shown, see keyNonce
	copy(key[:], text[n:])
	clear(text) // it holds a token
	if cap(text) <= maxPooledBytes {
		*room = text
		h.buffers.Put(room)
	}
	return key
}

func appendPart(b []byte, part string) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(len(part)))
	return append(b, part...)
}
