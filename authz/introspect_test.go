package authz

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAuthenticate(t *testing.T) {
	p := startProvider(t)
	in := p.introspector(t, nil)
	want := Identity{Issuer: p.issuer(), Subject: "alice", Organization: "acme", Roles: map[string][]string{"ORG_OWNER": {"acme", "globex"}}}
	for range 3 {
		got, err := in.Authenticate(t.Context(), bearer(testToken))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Fatalf("Authenticate: %v (-want +got):\n%s", err, diff)
		}
	}
	for range 3 {
		if _, err := in.Authenticate(t.Context(), bearer("unknown")); !errors.Is(err, ErrInvalidToken) {
			t.Errorf("Authenticate of an unknown token = %v, want ErrInvalidToken", err)
		}
	}
	if n := p.Requests(atIntrospect); n != 2 {
		t.Errorf("%d introspections of two tokens, want 2", n)
	}
	if n := p.Requests(atDiscovery); n != 1 {
		t.Errorf("%d discoveries, want 1", n)
	}
}

func TestBadHeadersDoNotReachTheProvider(t *testing.T) {
	p := startProvider(t)
	in := p.introspector(t, nil)
	for want, header := range map[error]http.Header{ErrNoToken: {}, ErrMalformedToken: {"Authorization": {"Bearer a", "Bearer b"}}} {
		if _, err := in.Authenticate(t.Context(), header); !errors.Is(err, want) {
			t.Errorf("Authenticate(%v) = %v, want %v", header, err, want)
		}
	}
	if p.Requests(atDiscovery)+p.Requests(atIntrospect) != 0 {
		t.Error("the provider was asked")
	}
}

// Whatever goes wrong at the provider is ErrUnavailable, shows nothing of what was said, and passes by itself.
func TestProviderFaults(t *testing.T) {
	p := startProvider(t)
	for _, endpoint := range []struct{ name, at string }{{operationDiscovery, atDiscovery}, {operationIntrospection, atIntrospect}} {
		for name, fault := range p.faults() {
			for _, ttl := range []time.Duration{0, testTTL} {
				in := p.introspector(t, func(cfg *IntrospectionConfig) { cfg.CacheTTL = ttl })
				p.misbehave(endpoint.at, fault)
				_, err := in.Authenticate(t.Context(), bearer(testToken))
				if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrInvalidToken) {
					t.Errorf("%s, %s, ttl %v: Authenticate = %v, want ErrUnavailable", endpoint.name, name, ttl, err)
				}
				if text := errText(err); strings.Contains(text, testSecret) || strings.Contains(text, testToken) || !strings.Contains(text, endpoint.name) {
					t.Errorf("%s, %s: error %q names a secret, or not the step", endpoint.name, name, text)
				}
				p.misbehave(endpoint.at, nil)
				if _, err := in.Authenticate(t.Context(), bearer(testToken)); err != nil {
					t.Errorf("%s, %s, ttl %v: after recovery: %v", endpoint.name, name, ttl, err)
				}
			}
		}
	}
	log := p.log.String()
	for _, secret := range []string{testSecret, testToken, "client-secret"} {
		if strings.Contains(log, secret) {
			t.Errorf("%q in the log:\n%s", secret, log)
		}
	}
	for _, line := range []string{`failure="status 500"`, `failure="malformed answer"`, `failure="status 307"`, `failure="answer over 1048576 bytes"`, `failure="answer of over 4096 members"`,
		`failure="answer nested over 16 deep"`, `failure="answer of a media type that is not JSON"`, `failure="connection failed"`, "answers again"} {
		if !strings.Contains(log, line) {
			t.Errorf("no %s in the log:\n%s", line, log)
		}
	}
}

func TestProviderDown(t *testing.T) {
	p := startProvider(t)
	in := p.introspector(t, nil)
	p.ClosePort()
	for range 2 {
		if _, err := in.Authenticate(t.Context(), bearer(testToken)); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Authenticate = %v, want ErrUnavailable", err)
		}
	}
	if log := p.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "connection failed") {
		t.Errorf("log of two failures at once, want one line:\n%s", log)
	}
}

func TestProviderHangs(t *testing.T) {
	p := startProvider(t)
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for _, endpoint := range []string{atDiscovery, atIntrospect} {
		in := p.introspector(t, func(cfg *IntrospectionConfig) { cfg.Timeout = 200 * time.Millisecond })
		p.misbehave(endpoint, hang)
		if _, err := in.Authenticate(t.Context(), bearer(testToken)); !errors.Is(err, ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Authenticate = %v, want ErrUnavailable and no context error", err)
		}
		p.misbehave(endpoint, nil)
	}
}

func TestDiscoveryDocuments(t *testing.T) {
	p := startProvider(t)
	for why, text := range map[string]string{
		"another issuer":        `{"issuer":"https://evil.example","introspection_endpoint":"` + p.Elsewhere() + `"}`,
		"issuer with a slash":   `{"issuer":"` + p.issuer() + `/","introspection_endpoint":"` + p.Elsewhere() + `"}`,
		"no endpoint":           `{"issuer":"` + p.issuer() + `","token_endpoint":"` + p.Elsewhere() + `"}`,
		"a relative endpoint":   `{"issuer":"` + p.issuer() + `","introspection_endpoint":"/elsewhere"}`,
		"an endpoint of a file": `{"issuer":"` + p.issuer() + `","introspection_endpoint":"file:///elsewhere"}`,
	} {
		in := p.introspector(t, nil)
		p.misbehave(atDiscovery, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(text)) })
		if _, err := in.Authenticate(t.Context(), bearer(testToken)); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: Authenticate = %v, want ErrUnavailable", why, err)
		}
	}
	secure := &Introspector{rules: rules{issuer: "https://id.example"}}
	for endpoint, want := range map[string]bool{"https://other.example/i": true, "http://id.example/i": false} {
		if got := secure.mayReceiveSecret(endpoint); got != want {
			t.Errorf("mayReceiveSecret(%q) = %v, want %v", endpoint, got, want)
		}
	}
}

func TestRevokedToken(t *testing.T) {
	for _, ttl := range []time.Duration{0, testTTL} {
		p := startProvider(t)
		var now atomic.Int64
		now.Store(testNow)
		in := p.introspector(t, func(cfg *IntrospectionConfig) {
			cfg.CacheTTL = ttl
			cfg.Now = func() time.Time { return time.Unix(now.Load(), 0) }
		})
		if _, err := in.Authenticate(t.Context(), bearer(testToken)); err != nil {
			t.Fatal(err)
		}
		p.revoke()
		if ttl > 0 {
			now.Add(int64(ttl/time.Second) - 1)
			if _, err := in.Authenticate(t.Context(), bearer(testToken)); err != nil {
				t.Errorf("ttl %v: a second before its end: %v", ttl, err)
			}
			now.Add(1)
		}
		if _, err := in.Authenticate(t.Context(), bearer(testToken)); !errors.Is(err, ErrInvalidToken) {
			t.Errorf("ttl %v: after the revocation: %v, want ErrInvalidToken", ttl, err)
		}
	}
}

func TestConcurrentCallers(t *testing.T) {
	const callers = 100
	for ttl, want := range map[time.Duration]int64{0: callers, testTTL: 1} {
		p := startProvider(t)
		in := p.introspector(t, func(cfg *IntrospectionConfig) { cfg.CacheTTL = ttl })
		var wait, ready sync.WaitGroup
		ready.Add(callers)
		for range callers {
			wait.Go(func() {
				ready.Done()
				ready.Wait()
				if _, err := in.Authenticate(t.Context(), bearer(testToken)); err != nil {
					t.Errorf("ttl %v: %v", ttl, err)
				}
			})
		}
		wait.Wait()
		if got := p.Requests(atIntrospect); got != want {
			t.Errorf("ttl %v: %d introspections for %d callers, want %d", ttl, got, callers, want)
		}
		if got := p.Requests(atDiscovery); got != 1 {
			t.Errorf("ttl %v: %d discoveries, want 1", ttl, got)
		}
	}
}

func TestConfigFaults(t *testing.T) {
	_, err := NewIntrospector(IntrospectionConfig{Issuer: "ftp://x", ClientSecret: testSecret, CacheTTL: -1})
	for _, word := range []string{"issuer", "client id", "audience", "negative"} {
		if !strings.Contains(errText(err), word) {
			t.Errorf("NewIntrospector = %v, want every fault, %q too", err, word)
		}
	}
	if strings.Contains(errText(err), "client secret") || strings.Contains(errText(err), testSecret) {
		t.Errorf("NewIntrospector = %v, which names the secret", err)
	}
	for _, issuer := range []string{"", "id.example", "https://", "https://id.example?x=1", "https://id.example#x", "://"} {
		if _, err := NewIntrospector(IntrospectionConfig{Issuer: issuer, ClientID: "c", ClientSecret: "s", Audience: "a"}); err == nil {
			t.Errorf("NewIntrospector took issuer %q", issuer)
		}
	}
}
