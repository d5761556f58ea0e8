package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	"example.org/avatard/authz"
	"example.org/avatard/authz/limit"
	"example.org/avatard/storage"
	"example.org/avatard/test/client"
	"example.org/avatard/test/clock"
)

// standing returns a clock that only goes on when a test moves it.
func standing() *clock.Clock { return clock.At(time.Unix(1_700_000_000, 0)) }

// counted counts how often the authenticator is asked.
type counted struct {
	authz.Authenticator
	calls atomic.Int64
}

func (c *counted) Authenticate(ctx context.Context, header http.Header) (authz.Identity, error) {
	c.calls.Add(1)
	return c.Authenticator.Authenticate(ctx, header)
}

// retryAfter returns what an answer says, in a header or, with gRPC, a trailer.
func retryAfter(got client.Answer) string {
	if in := got.Header.Get("Retry-After"); in != "" {
		return in
	}
	_, after, _ := strings.Cut(got.Raw, "Retry-After")
	return after[:len(after)-len(strings.TrimLeft(after, "0123456789"))]
}

// A call over a limit is refused in the words of its form, with the time to wait. After that the caller gets in again.
func TestRateLimits(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*Config, limit.Rate)
	}{
		{"address", func(c *Config, r limit.Rate) { c.AddressRate = r }},
		{"caller", func(c *Config, r limit.Rate) { c.CallerRate = r }},
	} {
		for _, form := range client.Forms() {
			t.Run(row.name+"/"+string(form), func(t *testing.T) {
				stands := standing()
				who := &counted{Authenticator: tokens(people())}
				f := start(t, func(c *Config) {
					c.Now, c.Authenticator = stands.Now, who
					row.change(c, limit.Rate{PerSecond: 0.5, Burst: 2})
				})
				send := func() client.Answer {
					t.Helper()
					return f.remove(t, form, query{user: alice, headers: bearer("admin-token-1")})
				}
				for range 2 {
					if got := send(); got.Code != 0 {
						t.Fatalf("within the limit: %v %s", got.Code, got.Message)
					}
				}
				got := send()
				if got.Code != connect.CodeResourceExhausted || retryAfter(got) != "2" || got.Detail.GetId() != "" {
					t.Errorf("over the limit: code %v, id %q, Retry-After %q, want resource_exhausted and 2",
						got.Code, got.Detail.GetId(), retryAfter(got))
				}
				if asked := who.calls.Load(); row.name == "address" && asked != 2 {
					t.Errorf("asked %d times who calls, want 2: the address comes first", asked)
				}
				stands.Advance(2 * time.Second)
				if got := send(); got.Code != 0 {
					t.Errorf("two seconds later: %v %s", got.Code, got.Message)
				}
			})
		}
	}
}

func TestWhatCallLimitsCountFor(t *testing.T) {
	stands := standing()
	f := start(t, func(c *Config) {
		c.Now = stands.Now
		c.AddressRate, c.CallerRate = limit.Rate{PerSecond: 1, Burst: 5}, limit.Rate{PerSecond: 1, Burst: 3}
		c.ClientAddress = func(r *http.Request) string { return r.Header.Get("X-Test-Address") }
	})
	mine := "/assets/v1/users/me/avatar"
	for i, row := range []struct {
		why, address, token, path string
		want                      int
	}{
		{"first of alice's three", "192.0.2.1", "alice-token-1", mine, 200},
		{"second", "192.0.2.2", "alice-token-1", mine, 200},
		{"third", "192.0.2.3", "alice-token-1", mine, 200},
		{"a caller is the same from everywhere", "192.0.2.4", "alice-token-1", mine, 429},
		{"and with every token", "192.0.2.4", "moved-token-1", mine, 429},
		{"somebody else is not", "192.0.2.4", "new-token-1", mine, 404},
		{"calls without a token count for their address", "192.0.2.4", "", mine, 401},
		{"and so do routes that are none", "192.0.2.4", "", "/nowhere", 404},
		{"five by now", "192.0.2.4", "new-token-1", mine, 429},
		{"public pictures count", "192.0.2.4", "", "/assets/v1/" + acme + "/users/" + alice + "/avatar", 429},
		{"procedures in a wrong form, too", "192.0.2.4", "", "/zitadel.auth.v1.AuthService/RemoveMyAvatar", 429},
		{"whether it is well may be asked", "192.0.2.4", "", "/healthz", 200},
		{"whether it is ready, too", "192.0.2.4", "", "/readyz", 200},
		{"another address goes on", "192.0.2.5", "new-token-1", mine, 404},
	} {
		headers := []string{"X-Test-Address", row.address}
		if row.token != "" {
			headers = append(headers, bearer(row.token)...)
		}
		res, body := f.do(t, http.MethodGet, row.path, nil, headers...)
		if res.StatusCode != row.want || (row.want == 429) != (res.Header.Get("Retry-After") != "") {
			t.Errorf("call %d, %s: %d, Retry-After %q, want %d: %s", i+1, row.why, res.StatusCode, res.Header.Get("Retry-After"), row.want, body)
		}
	}
	if strings.Contains(f.log.String(), "call failed") {
		t.Errorf("calls over a limit leave more than their line in the log:\n%s", f.log.String())
	}
}

// failingAuthenticator and failingSource end with an error instead of an identity or a permission. They may panic.
type failingAuthenticator func() error

func (fail failingAuthenticator) Authenticate(context.Context, http.Header) (authz.Identity, error) {
	return authz.Identity{}, fail()
}

type failingSource func() error

func (fail failingSource) Grant(context.Context, authz.Identity, string) (authz.Grant, error) {
	return authz.Grant{}, fail()
}

func TestWhatTheProviderMeans(t *testing.T) {
	fails := func(err error) func() error { return func() error { return fmt.Errorf("x: %w", err) } }
	for _, row := range []struct {
		why    string
		change func(*Config)
		code   connect.Code
		id     string
		logged bool
	}{
		{"too many unknown tokens", func(c *Config) { c.Authenticator = failingAuthenticator(fails(authz.ErrRateLimited)) }, connect.CodeUnavailable, "", false},
		{"a provider that is down", func(c *Config) { c.Authenticator = failingAuthenticator(fails(authz.ErrUnavailable)) }, connect.CodeUnavailable, "", true},
		{"an organisation that the provider does not know", func(c *Config) { c.Permissions = failingSource(fails(authz.ErrUnknownOrganization)) }, connect.CodePermissionDenied, "AUTH-Bs7Ds", false},
		{"a token that ended in between", func(c *Config) { c.Permissions = failingSource(fails(authz.ErrInvalidToken)) }, connect.CodeUnauthenticated, "AUTH-7fs1e", false},
		{"permissions that nobody can tell", func(c *Config) { c.Permissions = failingSource(fails(authz.ErrUnavailable)) }, connect.CodeUnavailable, "", true},
	} {
		f := start(t, row.change)
		for _, form := range client.Forms() {
			got := f.remove(t, form, query{user: alice, headers: bearer("admin-token-1")})
			if got.Code != row.code || got.Detail.GetId() != row.id || (row.code == connect.CodeUnavailable) != (retryAfter(got) != "") {
				t.Errorf("%s, %s: code %v, id %q, Retry-After %q, want %v, %q", row.why, form, got.Code, got.Detail.GetId(), retryAfter(got), row.code, row.id)
			}
		}
		if logged := strings.Contains(f.log.String(), "call failed"); logged != row.logged {
			t.Errorf("%s: the reason is logged: %v, want %v", row.why, logged, row.logged)
		}
		if !f.has(t, alice, acme) {
			t.Errorf("%s: the picture is gone", row.why)
		}
	}
}

// The address that limits count for is the one that the configuration says.
func TestUnknownTokensComeFromTheClientsAddress(t *testing.T) {
	var introspector *authz.Introspector
	f := start(t, func(c *Config) {
		var err error
		introspector, err = authz.NewIntrospector(authz.IntrospectionConfig{Issuer: issuer, ClientID: "c", ClientSecret: "s", Audience: "a",
			UnknownPerSecond: 1e-3, UnknownBurst: 1, HTTPClient: &http.Client{Transport: brokenTransport{}}})
		if err != nil {
			t.Fatal(err)
		}
		c.Authenticator = introspector
		c.ClientAddress = ForwardedAddress(prefixes("127.0.0.0/8"))
	})
	for _, row := range []struct {
		client string
		flood  bool
	}{{"192.0.2.1", false}, {"192.0.2.1", true}, {"192.0.2.2", false}, {"2001:db8::1", false}, {"2001:db8::2", true}} {
		res, body := f.do(t, http.MethodGet, "/assets/v1/users/me/avatar", nil, append(bearer("x"), "X-Forwarded-For", row.client)...)
		if res.StatusCode != http.StatusServiceUnavailable || strings.Contains(body, "unknown tokens") != row.flood {
			t.Errorf("from %s: %d %s, want it to be a flood: %v", row.client, res.StatusCode, body, row.flood)
		}
	}
}

type brokenTransport struct{}

func (brokenTransport) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, storage.ErrUnavailable
}
