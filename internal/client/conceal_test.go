package client

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// A server that repeats the token, anywhere and in pieces of a long text, does not get it shown.
func TestTokenThatIsRepeated(t *testing.T) {
	details := func(token string) string {
		return fmt.Sprintf(`{"details":{"sequence":"1%[1]s","creationDate":"%[1]s","changeDate":"%[1]s","resourceOwner":"%[1]s"}}`, token)
	}
	for title, handle := range map[string]func(w http.ResponseWriter, token string){
		"a redirect": func(w http.ResponseWriter, token string) {
			w.Header().Set("Location", "/x/"+token+"?"+token)
			w.WriteHeader(302)
		},
		"a redirect that escapes it": func(w http.ResponseWriter, token string) {
			w.Header().Set("Location", "/x/"+strings.ReplaceAll(token, "-", "%2d"))
			w.WriteHeader(302)
		},
		"the end of what is shown of a message": func(w http.ResponseWriter, token string) {
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"message":"%s%s"}`, strings.Repeat("x", maxText-len(token)+4), token)
		},
		"between control characters": func(w http.ResponseWriter, token string) {
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"message":"%s\u200b%s"}`, token[:5], token[5:])
		},
		"the name of the request": func(w http.ResponseWriter, token string) {
			w.Header().Set("X-Request-Id", token)
			w.WriteHeader(400)
		},
		"the details": func(w http.ResponseWriter, token string) { _, _ = io.WriteString(w, details(token)) },
		"header fields": func(w http.ResponseWriter, token string) {
			w.Header().Set("X-Avatard-Receipt", token)
			w.Header().Set("X-Avatard-Notice", token)
			_, _ = io.WriteString(w, details(""))
		},
		"a picture's name and type": func(w http.ResponseWriter, token string) {
			w.Header().Set("Etag", `"`+token+`"`)
			w.Header().Set("Content-Type", "image/png")
			_, _ = io.WriteString(w, "pixels")
		},
		"a picture's type": func(w http.ResponseWriter, token string) {
			w.Header().Set("Content-Type", "image/"+token)
			_, _ = io.WriteString(w, "pixels")
		},
	} {
		c, _ := served(t, FixedToken(secret), func(w http.ResponseWriter, r *http.Request) {
			handle(w, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		})
		details, err := c.Remove(t.Context(), Target{User: Me})
		got, getErr := c.Get(t.Context(), Target{User: Me})
		text := fmt.Sprintf("%+v %v %+v %v", details, err, got, getErr)
		if failed, ok := err.(*Error); ok { //nolint:errorlint // it is not wrapped
			text += failed.RequestID
		}
		if strings.Contains(text, secret[:12]) {
			t.Errorf("%s: %s", title, text)
		}
	}
}
