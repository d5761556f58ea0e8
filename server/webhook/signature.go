package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Errors of a signature, for logs: a stranger learns none of them.
var (
	// ErrUnsigned: the header fields of the scheme are missing, are there twice, or cannot be read.
	ErrUnsigned = errors.New("no signature that can be read")
	// ErrNotCurrent: the signature is older than Tolerance, or that far in the future.
	ErrNotCurrent = errors.New("the time of the signature is more than five minutes from now")
)

const (
	// maxSignatures bounds those in one header, which has one for each secret of the sender.
	maxSignatures = 8
	// maxIDBytes bounds the id of a message.
	maxIDBytes = 256
)

// Signature is what the header fields of a message say. Nothing of it is proven before SignedBy has the body.
type Signature struct {
	// ID is the sender's id of the message, which repeats keep; "" with Zitadel, whose events have theirs in the body.
	ID string
	// Time is when this attempt was signed.
	Time time.Time

	signed []byte   // what stands before the body in the text that is signed
	hashes [][]byte // one of which has to be right
}

// ReadSignature reads the header fields of a scheme. now decides whether the signature is current.
func ReadSignature(s Scheme, header http.Header, now time.Time) (Signature, error) {
	read := readStandard
	if s == Zitadel {
		read = readZitadel
	}
	sig, ok := read(header)
	if !ok {
		return Signature{}, ErrUnsigned
	}
	if away := now.Sub(sig.Time); away > Tolerance || away < -Tolerance {
		return Signature{}, ErrNotCurrent
	}
	return sig, nil
}

// SignedBy reports whether one of the secrets has signed the body. It takes as long for a wrong signature as for a right one.
func (s Signature) SignedBy(secrets []Secret, body []byte) bool {
	found := false
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, secret.key)
		mac.Write(s.signed)
		mac.Write(body)
		sum := mac.Sum(nil)
		for _, hash := range s.hashes {
			if hmac.Equal(sum, hash) {
				found = true
			}
		}
	}
	return found
}

// readStandard reads webhook-id, webhook-timestamp and webhook-signature (Standard Webhooks 1.0.0). The id has no dot, as the
// specification demands: it is signed with one behind it.
func readStandard(header http.Header) (sig Signature, ok bool) {
	id, one := only(header, "Webhook-Id")
	stamp, two := only(header, "Webhook-Timestamp")
	list, three := only(header, "Webhook-Signature")
	plain := func(r rune) bool { return r > ' ' && r <= '~' && r != '.' }
	if !one || !two || !three || id == "" || len(id) > maxIDBytes || strings.ContainsFunc(id, func(r rune) bool { return !plain(r) }) {
		return Signature{}, false
	}
	if sig.Time, ok = parseSeconds(stamp); !ok {
		return Signature{}, false
	}
	sig.ID, sig.signed = id, []byte(id+"."+stamp+".")
	for part := range strings.SplitSeq(list, " ") {
		if encoded, ours := strings.CutPrefix(part, "v1,"); ours {
			hash, err := base64.StdEncoding.Strict().DecodeString(encoded)
			if !sig.take(hash, err) {
				return Signature{}, false
			}
		}
	}
	return sig, len(sig.hashes) > 0
}

// readZitadel reads ZITADEL-Signature: t=SECONDS and, for each key of the target, v1=HEX, with commas between them.
func readZitadel(header http.Header) (sig Signature, ok bool) {
	list, ok := only(header, "Zitadel-Signature")
	if !ok {
		return Signature{}, false
	}
	stamps := 0
	for part := range strings.SplitSeq(list, ",") {
		name, text, _ := strings.Cut(part, "=")
		switch name {
		case "t":
			if sig.Time, ok = parseSeconds(text); !ok {
				return Signature{}, false
			}
			stamps++
			sig.signed = []byte(text + ".")
		case "v1":
			hash, err := hex.DecodeString(text)
			if !sig.take(hash, err) {
				return Signature{}, false
			}
		}
	}
	return sig, stamps == 1 && len(sig.hashes) > 0
}

// take adds a hash as it was decoded. It reports false when there are too many. One that is none cannot be right, and is left out.
func (s *Signature) take(hash []byte, err error) bool {
	if err == nil && len(hash) == sha256.Size {
		s.hashes = append(s.hashes, hash)
	}
	return len(s.hashes) <= maxSignatures
}

// only returns the value of a field that is there once.
func only(header http.Header, name string) (value string, ok bool) {
	values := header[name]
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}

// parseSeconds reads seconds since 1970, digits alone.
func parseSeconds(text string) (time.Time, bool) {
	const longest = 12
	if text == "" || len(text) > longest || strings.Trim(text, "0123456789") != "" {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	return time.Unix(seconds, 0), err == nil
}
