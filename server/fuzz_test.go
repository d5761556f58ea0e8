package server

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"example.org/avatard/authz"
	"example.org/avatard/internal/ids"
)

// FuzzTextBody checks the decoder of gRPC-Web text against the standard one, piece by piece and byte by byte.
func FuzzTextBody(f *testing.F) {
	f.Add([]byte("message"), 3, "")
	f.Add([]byte{0, 0, 0, 0, 0}, 0, "A")
	f.Add([]byte("a"), 1, "====")
	f.Add(bytes.Repeat([]byte("x"), 5000), 1021, "\n")
	f.Fuzz(func(t *testing.T, message []byte, cut int, junk string) {
		cut = min(max(cut, 0), len(message))
		text := base64.StdEncoding.EncodeToString(message[:cut]) + base64.StdEncoding.EncodeToString(message[cut:])
		for _, r := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text))} {
			got, err := io.ReadAll(&textBody{body: io.NopCloser(r)})
			if err != nil || !bytes.Equal(got, message) {
				t.Fatalf("decoded %d bytes, %v; want %d", len(got), err, len(message))
			}
		}
		got, err := io.ReadAll(&textBody{body: io.NopCloser(strings.NewReader(text + junk))})
		if err == nil && !bytes.HasPrefix(got, message) {
			t.Errorf("junk %q behind a message changed it", junk)
		}
	})
}

// FuzzPath sends any path and checks that the answer is one of the contract's, and that an id is decoded once.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"1", "", "%FF", "%00", "..", "%2e%2e%2f", "a/b", "%25%32%30", "ü", "a;b", "{user_id}", "%zz", " %2f", "\"%2Favatar"} {
		f.Add(seed)
	}
	s, err := New(Config{Store: instantStore{}, Issuer: issuer, Authenticator: tokens(people()),
		Permissions: authz.NewClaims(authz.DefaultPolicy())})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, segment string) {
		u, err := url.ParseRequestURI("/management/v1/users/" + segment + "/avatar")
		if err != nil || u.RawQuery != "" || u.ForceQuery {
			return // net/http answers the first itself; the others name another path
		}
		req := httptest.NewRequestWithContext(t.Context(), http.MethodDelete, "/", nil)
		req.URL = u
		req.Header.Set("Authorization", "Bearer admin-token-1")
		rec := httptest.NewRecorder()
		s.Handler().ServeHTTP(rec, req)
		id, err := url.PathUnescape(segment)
		want := http.StatusBadRequest
		switch {
		case strings.Contains(segment, "/"):
			want = http.StatusNotFound
		case err == nil && ids.Valid(id):
			want = http.StatusOK
		}
		if rec.Code != want {
			t.Errorf("%q: %d %s, want %d", segment, rec.Code, rec.Body, want)
		}
	})
}
