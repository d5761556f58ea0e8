// Package ids says what the id of a user or an organisation is. It is the one definition: requests, tokens, settings, commands and
// storage all use it. The API has the same rule in words of its own (api/zitadel/management/v1/management.proto).
//
//	server, authz, commands ──► ids ◄── storage
package ids

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxRunes is the length of the longest id in code points, of which each takes up to four bytes.
const MaxRunes = 200

// Valid reports whether s can be the id of a user or an organisation: 1 to MaxRunes code points of valid UTF-8 without control
// characters (Unicode category Cc).
func Valid(s string) bool {
	return s != "" && len(s) <= MaxRunes*utf8.UTFMax && utf8.ValidString(s) &&
		utf8.RuneCountInString(s) <= MaxRunes && !strings.ContainsFunc(s, unicode.IsControl)
}
