package webhook

import (
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// Secret is the key of a hash. It is never printed.
type Secret struct{ key []byte }

// String keeps the key out of texts.
func (Secret) String() string { return "[secret]" }

// GoString keeps it out of texts of another form.
func (Secret) GoString() string { return "[secret]" }

// Equal reports whether two secrets are the same.
func (s Secret) Equal(other Secret) bool { return hmac.Equal(s.key, other.key) }

// Bounds of secrets. Those of Standard are the specification's, of what the base64 holds.
const (
	maxSecrets        = 2 // one, and the one before it or behind it while they change
	minStandardSecret = 24
	maxStandardSecret = 64
	minZitadelKey     = 16
	maxZitadelKey     = 1024
)

// ParseSecrets reads one or two secrets, a line each. Errors repeat nothing of the text.
func ParseSecrets(s Scheme, text string) ([]Secret, error) {
	var secrets []Secret
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		key, err := parseSecret(s, line)
		if err != nil {
			return nil, fmt.Errorf("secret number %d %w", len(secrets)+1, err)
		}
		secrets = append(secrets, Secret{key})
	}
	if len(secrets) == 0 || len(secrets) > maxSecrets {
		return nil, fmt.Errorf("holds %d secrets; expected one, or two while they change, a line each", len(secrets))
	}
	return secrets, nil
}

func parseSecret(s Scheme, line string) ([]byte, error) {
	if s == Zitadel {
		if len(line) < minZitadelKey || len(line) > maxZitadelKey || strings.HasPrefix(line, secretPrefix) {
			return nil, errors.New("is no signing key; expected the signingKey that ZITADEL gave out with the target, at least 16 characters")
		}
		return []byte(line), nil
	}
	encoded, ok := strings.CutPrefix(line, secretPrefix)
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if !ok || err != nil || len(key) < minStandardSecret || len(key) > maxStandardSecret {
		return nil, fmt.Errorf("is none of Standard Webhooks; expected %s and %d to %d random bytes in base64", secretPrefix, minStandardSecret, maxStandardSecret)
	}
	return key, nil
}

const secretPrefix = "whsec_"
