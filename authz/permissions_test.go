package authz

import (
	"context"
	"errors"
	"example.org/avatard/test/clock"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// source returns the source that asks p, and the identity that p knows.
func (p *testProvider) source(t *testing.T, change func(*IntrospectionConfig)) (*ProviderPermissions, Identity) {
	t.Helper()
	in := p.introspector(t, func(cfg *IntrospectionConfig) {
		cfg.CarryToken = true
		if change != nil {
			change(cfg)
		}
	})
	source, err := NewProviderPermissions(in)
	if err != nil {
		t.Fatal(err)
	}
	id, err := in.Authenticate(t.Context(), bearer(testToken))
	if err != nil {
		t.Fatal(err)
	}
	return source, id
}

func TestProviderPermissions(t *testing.T) {
	p := startProvider(t)
	for _, ttl := range []time.Duration{0, testTTL} {
		source, id := p.source(t, func(cfg *IntrospectionConfig) { cfg.CacheTTL = ttl })
		before := p.Requests(atSearch)
		id.Roles = map[string][]string{"ORG_OWNER": {"globex", "initech"}} // roles of the token play no part
		for range 2 {
			for org, want := range map[string]Grant{
				"acme":    {Member: true, Allowed: []Permission{UserRead, UserWrite}},
				"globex":  {Member: true},
				"initech": {},
				" acme":   {}, // would be acme in a header
				"":        {},
				"a\nb":    {},
			} {
				got, err := source.Grant(t.Context(), id, org)
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("ttl %v: Grant in %q: %v (-want +got):\n%s", ttl, org, err, diff)
				}
			}
			if g, err := source.Grant(t.Context(), id, "hooli"); !errors.Is(err, ErrUnknownOrganization) || g.Member {
				t.Errorf("ttl %v: Grant in an unknown organisation = %v, %v", ttl, g, err)
			}
			other := Identity{Subject: id.Subject, Credential: NewCredential("another-token")}
			if g, err := source.Grant(t.Context(), other, "acme"); !errors.Is(err, ErrInvalidToken) || g.Member {
				t.Errorf("ttl %v: Grant with a token that has ended = %v, %v", ttl, g, err)
			}
		}
		if want := map[time.Duration]int64{0: 10, testTTL: 5}[ttl]; p.Requests(atSearch)-before != want {
			t.Errorf("ttl %v: not %d searches for five questions asked twice", ttl, want)
		}
	}
	if g, err := (&ProviderPermissions{}).Grant(t.Context(), Identity{Subject: "alice"}, "acme"); err == nil || g.Member {
		t.Errorf("Grant without a token = %v, %v, want an error", g, err)
	}
	if _, err := NewProviderPermissions(p.introspector(t, nil)); err == nil {
		t.Error("a source was made from an Introspector that carries no tokens")
	}
}

// A claims installation hands no token on.
func TestTokensAreCarriedOnDemand(t *testing.T) {
	p := startProvider(t)
	for _, carry := range []bool{false, true} {
		in := p.introspector(t, func(cfg *IntrospectionConfig) { cfg.CarryToken = carry })
		for range 2 { // looked up, then kept
			id, err := in.Authenticate(t.Context(), bearer(testToken))
			if want := map[bool]string{true: testToken}[carry]; err != nil || id.Credential.text() != want {
				t.Errorf("carry %v: credential of %d bytes, %v", carry, len(id.Credential.text()), err)
			}
		}
	}
}

// Whatever goes wrong is ErrUnavailable, shows nothing of what was said, and passes by itself.
func TestPermissionFaults(t *testing.T) {
	p := startProvider(t)
	faults := p.faults()
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			w.Write([]byte(body))
		}
	}
	maps.Copy(faults, map[string]http.HandlerFunc{
		"401 of somebody on the way":      answer(401, `<html>`+testSecret),
		"401 with a code that is no 401":  answer(401, `{"code":7,"details":[{"id":"AUTH-Bs7Ds"}]}`),
		"403 of somebody on the way":      answer(403, `{"error":"forbidden"}`),
		"403 with a code that is no 403":  answer(403, `{"code":16,"details":[{"id":"AUTH-5mWD2"}]}`),
		"403 that says two things":        answer(403, `{"code":7,"details":[{"id":"x","id":"AUTH-Bs7Ds"}]}`),
		"404 with the words of an answer": answer(404, `{"code":5,"details":[{"id":"AUTH-Bs7Ds"}]}`),
		"200 with an error":               answer(200, `{"code":16,"message":"`+testSecret+`"}`),
		"result is no list":               answer(200, `{"result":"user.write"}`),
		"result of objects":               answer(200, `{"result":[{"user.write":true}]}`),
		"result with null":                answer(200, `{"result":["user.write",null]}`),
		"result twice":                    answer(200, `{"result":[],"result":["user.write"]}`),
		"result in other letters":         answer(200, `{"Result":["user.write"]}`),
		"two answers":                     answer(200, `{}{"result":["user.write"]}`),
	})
	for name, fault := range faults {
		for _, ttl := range []time.Duration{0, testTTL} {
			source, id := p.source(t, func(cfg *IntrospectionConfig) { cfg.CacheTTL = ttl })
			p.misbehave(atSearch, fault)
			g, err := source.Grant(t.Context(), id, "acme")
			if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrInvalidToken) || errors.Is(err, ErrUnknownOrganization) || g.Member {
				t.Errorf("%s, ttl %v: Grant = %v, %v, want ErrUnavailable", name, ttl, g, err)
			}
			if text := errText(err); strings.Contains(text, testSecret) || strings.Contains(text, testToken) || !strings.Contains(text, operationPermissions) {
				t.Errorf("%s: error %q names a secret, or not the step", name, text)
			}
			p.misbehave(atSearch, nil)
			if g, err := source.Grant(t.Context(), id, "acme"); err != nil || len(g.Allowed) != 2 {
				t.Errorf("%s, ttl %v: after recovery: %v, %v", name, ttl, g, err)
			}
		}
	}
	for _, secret := range []string{testSecret, testToken} {
		if strings.Contains(p.log.String(), secret) {
			t.Errorf("%q in the log:\n%s", secret, p.log.String())
		}
	}
	if !strings.Contains(p.log.String(), "answers again") {
		t.Errorf("no recovery in the log:\n%s", p.log.String())
	}
}

func TestPermissionsAreShared(t *testing.T) {
	p := startProvider(t)
	source, id := p.source(t, nil)
	var wait, ready sync.WaitGroup
	ready.Add(100)
	for i := range 100 {
		wait.Go(func() {
			ready.Done()
			ready.Wait()
			org := []string{"acme", "globex"}[i%2]
			if g, err := source.Grant(t.Context(), id, org); err != nil || !g.Member || (len(g.Allowed) == 2) != (org == "acme") {
				t.Errorf("Grant in %s = %v, %v", org, g, err)
			}
		})
	}
	wait.Wait()
	if n := p.Requests(atSearch); n != 2 {
		t.Errorf("%d searches for a hundred callers in two organisations, want 2", n)
	}
}

// What somebody may do is kept for the ttl, that they may do nothing for a second at most.
func TestPermissionsAreKeptShortly(t *testing.T) {
	for _, row := range []struct {
		why, org string
		life     time.Duration
	}{
		{"permissions", "acme", testTTL},
		{"a role that allows nothing we know", "globex", testTTL},
		{"no role", "initech", maxRefusedTTL},
		{"no such organisation", "hooli", maxRefusedTTL},
	} {
		p := startProvider(t)
		var now atomic.Int64
		now.Store(time.Unix(testNow, 0).UnixNano())
		source, id := p.source(t, func(cfg *IntrospectionConfig) { cfg.Now = func() time.Time { return time.Unix(0, now.Load()) } })
		for i, after := range []time.Duration{0, row.life - 1, 1} {
			now.Add(int64(after))
			source.Grant(t.Context(), id, row.org)
			if got, want := p.Requests(atSearch), int64(1+i/2); got != want {
				t.Errorf("%s: %d searches after question %d, want %d", row.why, got, i+1, want)
			}
		}
	}
}

func TestSlowPermissions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := bubbleIntrospector(t, testTTL, nil)
		in.carryToken = true
		in.client.Transport = roundTrip(hang)
		source, err := NewProviderPermissions(in)
		if err != nil {
			t.Fatal(err)
		}
		id := Identity{Subject: "alice", Credential: NewCredential(testToken)}
		began := time.Now()
		if _, err := source.Grant(t.Context(), id, "acme"); !errors.Is(err, ErrUnavailable) || time.Since(began) != DefaultIntrospectionTimeout {
			t.Errorf("Grant = %v after %v, want ErrUnavailable after the time-out", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := source.Grant(ctx, id, "acme"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Grant = %v, want the caller's own deadline", err)
		}
		time.Sleep(DefaultIntrospectionTimeout)
	})
}

func BenchmarkGrantHit(b *testing.B) {
	c := clock.At(time.Unix(testNow, 0))
	in, _ := floodIntrospector(b, c, func(cfg *IntrospectionConfig) {
		cfg.CarryToken = true
		cfg.HTTPClient = &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			return respond(`{"result":["user.write"]}`)
		})}
	})
	source, err := NewProviderPermissions(in)
	if err != nil {
		b.Fatal(err)
	}
	id := Identity{Subject: "alice", Credential: NewCredential(strings.Repeat("a", 100))}
	b.ReportAllocs()
	for b.Loop() {
		if g, err := source.Grant(b.Context(), id, "acme"); err != nil || !g.Member {
			b.Fatal(err)
		}
	}
}
