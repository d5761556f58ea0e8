package authz

import (
	"encoding/json"
	"errors"
	"example.org/avatard/test/clock"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The provider is asked about every token that came through, however long it is, and gets it byte for byte. All that is kept of it is
// as much as of a short one.
func TestLongTokens(t *testing.T) {
	p := startProvider(t)
	long := strings.Repeat("aZ9-._~+/", 1<<20/9) + "=="
	p.misbehave(atIntrospect, func(w http.ResponseWriter, r *http.Request) {
		if token := r.PostFormValue("token"); token != long && token != long[:60<<10] {
			io.WriteString(w, `{"active":false}`)
			return
		}
		io.WriteString(w, claims(map[string]any{"iss": p.issuer(), "sub": "alice"}))
	})
	p.misbehave(atSearch, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+long[:60<<10] {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"result": []string{"user.write"}})
	})
	in := p.introspector(t, func(cfg *IntrospectionConfig) { cfg.CarryToken = true })
	permissions, err := NewProviderPermissions(in)
	if err != nil {
		t.Fatal(err)
	}
	asked := int64(0)
	for _, row := range []struct {
		token string
		err   error
	}{
		{long[:16<<10+1], ErrInvalidToken}, // another one at the provider
		{long[:60<<10], nil},               // about as long as header fields are by default
		{long, nil},                        // as long as they can be set to
	} {
		asked++
		for range 2 { // the second time the answer is kept
			id, err := in.Authenticate(t.Context(), bearer(row.token))
			if !errors.Is(err, row.err) || err == nil && id.Subject != "alice" {
				t.Errorf("%d bytes: %+v, %v, want %v", len(row.token), id, err, row.err)
			}
			if got := p.Requests(atIntrospect); got != asked {
				t.Errorf("%d bytes: the provider was asked %d times, want %d", len(row.token), got, asked)
			}
		}
	}
	id, err := in.Authenticate(t.Context(), bearer(long[:60<<10]))
	if err != nil {
		t.Fatal(err)
	}
	if grant, err := permissions.Grant(t.Context(), id, "acme"); err != nil || !grant.Member {
		t.Errorf("permissions: %+v, %v", grant, err)
	}
}

// Long tokens that nobody knows count like short ones.
func TestFloodOfLongTokens(t *testing.T) {
	c := clock.At(time.Unix(testNow, 0))
	in, asked := floodIntrospector(t, c, nil)
	limited := 0
	for i := range DefaultUnknownBurst + 50 {
		_, err := in.Authenticate(from(t, "192.0.2.1"), bearer(strings.Repeat("x", 60<<10)+fmt.Sprint(i)))
		if errors.Is(err, ErrRateLimited) {
			limited++
		} else if !errors.Is(err, ErrInvalidToken) {
			t.Fatal(err)
		}
	}
	if limited != 50 || asked.Load() != DefaultUnknownBurst {
		t.Errorf("%d were refused and %d asked about, want 50 and %d", limited, asked.Load(), DefaultUnknownBurst)
	}
}
