package authz

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// forgetful is a provider that calls every token inactive when its database is down; its discovery document tells.
type forgetful struct {
	down        bool      // tokens are inactive
	discovery   roundTrip // nil = well
	discoveries int
	searches    roundTrip // nil = well
}

func (p *forgetful) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case r.Method == http.MethodGet:
		p.discoveries++
		if p.discovery != nil {
			return p.discovery(r)
		}
		return respond(bubbleDiscovery)
	case r.URL.Path == permissionsPath:
		if p.searches != nil {
			return p.searches(r)
		}
		return respond(`{"result":["user.write"]}`)
	case p.down || r.FormValue("token") == "never":
		return respond(`{"active":false}`)
	}
	return respond(bubbleAnswer())
}

// A token that was active of late and turns inactive has ended only where the provider is well: with its database down it may
// know no token any more. Tokens that were not active of late are refused as ever.
func TestInactiveDuringAnOutage(t *testing.T) {
	failing := map[string]roundTrip{
		"500": status(http.StatusInternalServerError), "404": status(http.StatusNotFound), "hangs": hang,
		"cut": func(*http.Request) (*http.Response, error) { return nil, errors.New("cut") },
		"of another issuer": func(*http.Request) (*http.Response, error) {
			return respond(`{"issuer":"https://other.example","introspection_endpoint":"https://id.example/i"}`)
		},
	}
	for why, fail := range failing {
		for _, ttl := range []time.Duration{0, testTTL} {
			t.Run(fmt.Sprintf("%s, ttl %v", why, ttl), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := &forgetful{}
					in := bubbleIntrospector(t, ttl, nil)
					in.client.Transport = p
					call := func(token string) error {
						_, err := in.Authenticate(t.Context(), bearer(token))
						return err
					}
					if err := errors.Join(call("one"), call("two")); err != nil {
						t.Fatal(err)
					}
					time.Sleep(2 * testTTL)
					p.down, p.discovery = true, fail
					for range 20 {
						for _, token := range []string{"one", "two"} {
							if err := call(token); !errors.Is(err, ErrUnavailable) {
								t.Fatalf("a token that was active, during the outage: %v, want ErrUnavailable", err)
							}
						}
						if err := call("never"); !errors.Is(err, ErrInvalidToken) {
							t.Fatalf("a token that was never active: %v, want ErrInvalidToken", err)
						}
						time.Sleep(time.Second)
					}
					p.down, p.discovery = false, nil
					time.Sleep(maxOpenTimeout)
					if err := errors.Join(call("one"), call("two")); err != nil {
						t.Errorf("after the outage: %v", err)
					}
				})
			})
		}
	}
}

// Revocation at a provider that is well is believed at once, for one question more, which callers who come meanwhile share.
func TestRevocationIsBelievedAtOnce(t *testing.T) {
	for _, ttl := range []time.Duration{0, testTTL} {
		synctest.Test(t, func(t *testing.T) {
			p := &forgetful{}
			in := bubbleIntrospector(t, ttl, nil)
			in.client.Transport = p
			const tokens = 50
			call := func(n int) error {
				_, err := in.Authenticate(t.Context(), bearer(fmt.Sprint("token-", n)))
				return err
			}
			for n := range tokens {
				if err := call(n); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(testTTL)
			before := time.Now()
			p.down, p.discoveries = true, 0
			if err := call(0); !errors.Is(err, ErrInvalidToken) || p.discoveries != 1 {
				t.Errorf("ttl %v: %v after %d questions, want ErrInvalidToken after one", ttl, err, p.discoveries)
			}
			if err := call(0); !errors.Is(err, ErrInvalidToken) || p.discoveries != 1 {
				t.Errorf("ttl %v: once more: %v after %d questions, want no other", ttl, err, p.discoveries)
			}
			p.discovery = func(*http.Request) (*http.Response, error) {
				time.Sleep(time.Second)
				return respond(bubbleDiscovery)
			}
			var calls sync.WaitGroup
			for n := 1; n < tokens; n++ {
				calls.Go(func() {
					if err := call(n); !errors.Is(err, ErrInvalidToken) {
						t.Errorf("ttl %v: %v, want ErrInvalidToken", ttl, err)
					}
				})
			}
			calls.Wait()
			if took := time.Since(before); p.discoveries != 2 || took != time.Second {
				t.Errorf("ttl %v: %d questions in %v for many tokens at once, want one more", ttl, p.discoveries, took)
			}
		})
	}
}

// While the discovery document fails, it is asked for once a second for all tokens together.
func TestConfirmationIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &forgetful{}
		in := bubbleIntrospector(t, 0, nil)
		in.client.Transport = p
		for n := range 500 {
			if _, err := in.Authenticate(t.Context(), bearer(fmt.Sprint("token-", n))); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		p.down, p.discovery, p.discoveries = true, status(http.StatusInternalServerError), 0
		for n := range 500 {
			if _, err := in.Authenticate(t.Context(), bearer(fmt.Sprint("token-", n))); !errors.Is(err, ErrUnavailable) {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if p.discoveries > 6 { // rediscovery, which is once a minute, among them
			t.Errorf("%d questions in 5 s, want one a second", p.discoveries)
		}
	})
}

// Nor does an answer about permissions end a token that introspection took for active, unless the provider is well.
func TestEndedDuringAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &forgetful{}
		in := bubbleIntrospector(t, 0, nil)
		in.client.Transport = p
		in.carryToken = true
		source, err := NewProviderPermissions(in)
		if err != nil {
			t.Fatal(err)
		}
		grant := func() error {
			id, err := in.Authenticate(t.Context(), bearer(testToken))
			if err == nil {
				_, err = source.Grant(t.Context(), id, "acme")
			}
			return err
		}
		if err := grant(); err != nil {
			t.Fatal(err)
		}
		p.searches = func(*http.Request) (*http.Response, error) {
			resp, err := respond(`{"code":16,"message":"token invalid"}`)
			resp.StatusCode = http.StatusUnauthorized
			return resp, err
		}
		if err := grant(); !errors.Is(err, ErrInvalidToken) || Refused(err) == nil || Refused(err).Reason != ReasonEnded {
			t.Errorf("at a provider that is well: %v, want ErrInvalidToken", err)
		}
		p.discovery = status(http.StatusInternalServerError)
		if err := grant(); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrInvalidToken) {
			t.Errorf("during an outage: %v, want ErrUnavailable", err)
		}
	})
}
