package server

import (
	"testing"

	"example.org/avatard/server/reference"
)

// A page may talk to here, and to the provider's origins where tokens are got and ended; to nobody else.
func TestPagePolicy(t *testing.T) {
	const own = "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'self'"
	for _, row := range []struct {
		title string
		in    *reference.SignIn
		want  string
	}{
		{"nobody signs in", nil, own},
		{"one origin", &reference.SignIn{TokenURL: "https://id.example/token", RevocationURL: "https://id.example/revoke"}, own + "; connect-src 'self' https://id.example"},
		{"two origins", &reference.SignIn{TokenURL: "https://id.example/token", RevocationURL: "https://end.example:8443/revoke"},
			own + "; connect-src 'self' https://id.example https://end.example:8443"},
		{"no revocation", &reference.SignIn{TokenURL: "https://id.example/token"}, own + "; connect-src 'self' https://id.example"},
	} {
		if got := pagePolicy(row.in); got != row.want {
			t.Errorf("%s: %q, want %q", row.title, got, row.want)
		}
	}
}
