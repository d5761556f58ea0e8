package authz

import (
	"net/http"
	"sync"
	"testing"
)

// A provider's operators see in every request whose it is, and that JSON is expected in answer.
func TestRequestsSayWhoAsks(t *testing.T) {
	p := startProvider(t)
	var mu sync.Mutex
	seen := map[string]http.Header{}
	p.Misbehave("", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen[r.URL.Path] = r.Header.Clone()
		mu.Unlock()
		p.handler.ServeHTTP(w, r)
	})
	in := p.introspector(t, func(c *IntrospectionConfig) { c.UserAgent, c.CarryToken = "avatard/1.2.3", true })
	id, err := in.Authenticate(t.Context(), bearer(testToken))
	if err != nil {
		t.Fatal(err)
	}
	permissions, err := NewProviderPermissions(in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := permissions.Grant(t.Context(), id, "acme"); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 3 { // discovery, introspection, permissions
		t.Errorf("%d kinds of requests, want 3", len(seen))
	}
	for path, header := range seen {
		if agent, accept := header["User-Agent"], header["Accept"]; len(agent) != 1 || agent[0] != "avatard/1.2.3" || len(accept) != 1 || accept[0] != "application/json" {
			t.Errorf("%s: User-Agent %q, Accept %q", path, agent, accept)
		}
	}
}
