package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"

	"example.org/avatard/storage"
)

// pageList names one list: the procedure, and all of the request that chooses what is in it.
type pageList [8]byte

func listOf(parts ...string) pageList {
	sum := sha256.New()
	for _, part := range parts {
		sum.Write([]byte(strconv.Quote(part)))
	}
	return pageList(sum.Sum(nil)[:len(pageList{})])
}

// token is what the page behind a position of the store is asked for with; "" for no position. It is opaque, and good for this list alone.
// It opens nothing: what a caller may see is decided for each page anew.
func (l pageList) token(position string) string {
	if position == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(append(l[:], position...))
}

// position returns what token was made of.
func (l pageList) position(token string) (string, error) {
	if token == "" {
		return "", nil
	}
	plain, err := base64.RawURLEncoding.Strict().DecodeString(token)
	position, ours := bytes.CutPrefix(plain, l[:])
	if err != nil || !ours || len(position) == 0 {
		return "", &apiError{reason: badPageToken}
	}
	return string(position), nil
}

// failed words an error of a store that was asked for the page of a token: one that it has not chosen is the caller's mistake.
func (l pageList) failed(token string, err error) error {
	if token != "" && errors.Is(err, storage.ErrInvalid) {
		return &apiError{reason: badPageToken}
	}
	return err
}
