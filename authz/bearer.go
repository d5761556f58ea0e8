package authz

import (
	"net/http"
	"strings"
)

// bearerToken returns the token of a request's only Authorization header: "Bearer" in any case, one or more spaces,
// one b64token (RFC 6750 section 2.1, RFC 9110 section 11.1). SP and HTAB around the value are not part of it: HTTP/2
// delivers them untrimmed.
//
// Two headers that a proxy folded into one hold a comma and a space, and fail the grammar like any other text before
// or after the token. How long a token may be is for the server to say, which bounds the header fields of a request: no provider
// promises a length.
func bearerToken(header http.Header) (string, error) {
	values := header.Values("Authorization")
	switch len(values) {
	case 0:
		return "", ErrNoToken
	case 1:
	default:
		return "", malformed("several headers")
	}
	const scheme = "Bearer"
	value := strings.Trim(values[0], " \t")
	if len(value) <= len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) {
		return "", malformed("the scheme is not Bearer")
	}
	rest := value[len(scheme):]
	token := strings.TrimLeft(rest, " ")
	if len(token) == len(rest) || !isB64Token(token) {
		return "", malformed("what follows Bearer is not one token")
	}
	return token, nil
}

func malformed(detail string) error {
	return &RefusedError{Reason: ReasonMalformed, Detail: detail, kind: ErrMalformedToken}
}

// tokenBytes are the letters, digits and "-._~+/" of a b64token.
var tokenBytes = func() (set [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/") {
		set[c] = true
	}
	return set
}()

// isB64Token reports whether s is a b64token of RFC 6750 section 2.1: one or more of tokenBytes, then any number of "=".
func isB64Token(s string) bool {
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		if !tokenBytes[body[i]] {
			return false
		}
	}
	return body != ""
}
