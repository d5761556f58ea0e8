package authz

import (
	"fmt"
	"log/slog"
)

// Credential is a caller's bearer token on its way from an [Authenticator] to a [Source]. It does not show in any print,
// log line or JSON text, whatever it is a part of. The zero value is none.
type Credential struct {
	// token is a pointer because package fmt does not call the methods of unexported fields: inside of one, it would
	// print a string, but not what a pointer points at.
	token *string
}

// NewCredential returns a token as a Credential.
func NewCredential(token string) Credential { return Credential{token: &token} }

// text returns the token, "" when there is none.
func (c Credential) text() string {
	if c.token == nil {
		return ""
	}
	return *c.token
}

// Equal reports whether two credentials are the same token.
func (c Credential) Equal(other Credential) bool { return c.text() == other.text() }

// redacted stands wherever a credential would be written.
const redacted = "[token]"

// Format writes a placeholder, whatever the verb.
func (c Credential) Format(w fmt.State, _ rune) { fmt.Fprint(w, redacted) }

// LogValue is a placeholder.
func (c Credential) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder; nothing reads it back.
func (c Credential) MarshalText() ([]byte, error) { return []byte(redacted), nil }
