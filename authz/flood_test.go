package authz

import (
	"context"
	"errors"
	"example.org/avatard/test/clock"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// floodIntrospector asks a provider that knows the tokens beginning with "good" and counts what it is asked.
func floodIntrospector(t testing.TB, c *clock.Clock, change func(*IntrospectionConfig)) (*Introspector, *atomic.Int64) {
	asked := new(atomic.Int64)
	cfg := IntrospectionConfig{
		Issuer: "https://id.example", ClientID: "client", ClientSecret: "secret", Audience: "avatars", CacheTTL: testTTL,
		Now: c.Now,
		HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodGet {
				return respond(bubbleDiscovery)
			}
			asked.Add(1)
			if token := r.FormValue("token"); len(token) < 4 || token[:4] != "good" {
				return respond(`{"active":false}`)
			}
			return respond(claims(map[string]any{"exp": c.Now().Add(time.Hour).Unix(), "nbf": nil}))
		})},
	}
	if change != nil {
		change(&cfg)
	}
	in, err := NewIntrospector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return in, asked
}

func from(t testing.TB, address string) context.Context {
	return WithClientAddress(t.Context(), address)
}

// 2,000 invented tokens a second for 20 seconds from one address: the provider is asked about a burst and a hundred a
// second of them, whose tokens are known come in at their usual rate, and memory does not grow.
func TestFlood(t *testing.T) {
	const perSecond, seconds = 2000, 20
	for _, ttl := range []time.Duration{0, testTTL} {
		c := clock.At(time.Unix(testNow, 0))
		in, asked := floodIntrospector(t, c, func(cfg *IntrospectionConfig) { cfg.CacheTTL = ttl })
		good := func() {
			t.Helper()
			if _, err := in.Authenticate(from(t, "192.0.2.1"), bearer("good-token")); err != nil {
				t.Fatalf("ttl %v: known token: %v", ttl, err)
			}
		}
		good()
		refused, limited, goods := 0, 0, int64(0)
		before := asked.Load()
		for i := range perSecond * seconds {
			c.Advance(time.Second / perSecond)
			_, err := in.Authenticate(from(t, "192.0.2.1"), bearer(fmt.Sprint("garbage-", i)))
			switch {
			case errors.Is(err, ErrInvalidToken):
				refused++
			case errors.Is(err, ErrRateLimited) && errors.Is(err, ErrUnavailable) && RetryAfter(err) > 0:
				limited++
			default:
				t.Fatalf("ttl %v: garbage: %v", ttl, err)
			}
			if i%10 == 0 { // 200 a second, and from the very same address
				good()
				goods++
			}
		}
		if most := DefaultUnknownBurst + seconds*DefaultUnknownPerSecond; refused > most || refused < most*9/10 || refused+limited != perSecond*seconds {
			t.Errorf("ttl %v: %d looked up and %d not, want about %d looked up", ttl, refused, limited, most)
		}
		forGood := asked.Load() - before - int64(refused)
		if want := seconds / max(int64(ttl/time.Second), 1); ttl > 0 && forGood > want || ttl == 0 && forGood != goods {
			t.Errorf("ttl %v: %d introspections of the known token", ttl, forGood)
		}
		if n := in.known.until.Len(); n != 1 {
			t.Errorf("ttl %v: %d tokens count as known, want 1", ttl, n)
		}
		if in.cache.refused.order.Len() > maxRefused || in.cache.unfinished != 0 || len(in.cache.flights) != 0 {
			t.Errorf("%d refusals kept, %d calls", in.cache.refused.order.Len(), in.cache.unfinished)
		}
	}
}

func TestUnknownTokensCountForTheirAddress(t *testing.T) {
	c := clock.At(time.Unix(testNow, 0))
	in, _ := floodIntrospector(t, c, func(cfg *IntrospectionConfig) { cfg.UnknownPerSecond, cfg.UnknownBurst = 1, 3 })
	n := 0
	offer := func(address string, times int) (let int) {
		t.Helper()
		for range times {
			n++
			ctx := t.Context()
			if address != "" {
				ctx = from(t, address)
			}
			_, err := in.Authenticate(ctx, bearer(fmt.Sprint("good-", n)))
			switch {
			case err == nil:
				let++
			case !errors.Is(err, ErrRateLimited):
				t.Fatal(err)
			}
		}
		return let
	}
	for _, row := range []struct {
		why, address string
		want         int // of 10
	}{
		{"a burst", "192.0.2.1", 3},
		{"another address", "192.0.2.2", 3},
		{"the first again", "192.0.2.1", 0},
		{"a network of IPv6", "2001:db8::1", 3},
		{"its neighbour in the same network", "2001:db8::2", 0},
		{"no address", "", 3},
		{"something that is none", "unix", 0},
	} {
		if got := offer(row.address, 10); got != row.want {
			t.Errorf("%s: %d of 10, want %d", row.why, got, row.want)
		}
	}
	c.Advance(2 * time.Second)
	if got := offer("192.0.2.1", 10); got != 2 {
		t.Errorf("two seconds later: %d of 10, want 2", got)
	}
}

// The kept answer about a refused token costs nothing, so asking about it again is not a flood.
func TestKnownRefusalsDoNotCount(t *testing.T) {
	c := clock.At(time.Unix(testNow, 0))
	in, asked := floodIntrospector(t, c, nil)
	for range 10 * DefaultUnknownBurst {
		if _, err := in.Authenticate(from(t, "192.0.2.1"), bearer("garbage")); !errors.Is(err, ErrInvalidToken) {
			t.Fatal(err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("%d introspections, want 1", n)
	}
}

func TestWhichTokensAreKnown(t *testing.T) {
	for _, ttl := range []time.Duration{0, testTTL} {
		for _, row := range []struct {
			why   string
			token string
			after time.Duration
			want  error
		}{
			{"active within the last ten minutes", "good-1", knownFor + ttl - 1, nil},
			{"longer ago", "good-1", knownFor + ttl, ErrRateLimited},
			{"never active", "garbage", 2 * testTTL, ErrRateLimited},
		} {
			c := clock.At(time.Unix(testNow, 0))
			in, _ := floodIntrospector(t, c, func(cfg *IntrospectionConfig) {
				cfg.CacheTTL, cfg.UnknownPerSecond, cfg.UnknownBurst = ttl, 1e-6, 1
			})
			in.Authenticate(t.Context(), bearer(row.token))
			c.Advance(row.after)
			if _, err := in.Authenticate(t.Context(), bearer(row.token)); !errors.Is(err, row.want) {
				t.Errorf("ttl %v, %s: %v, want %v", ttl, row.why, err, row.want)
			}
		}
	}
}

// A token that is revoked is known no more.
func TestRevokedTokensAreNotKnown(t *testing.T) {
	k := newKnownTokens(0)
	now := time.Unix(testNow, 0)
	k.note(numberedKey(1), true, now)
	if !k.has(numberedKey(1), now) {
		t.Error("an active token is not known")
	}
	k.note(numberedKey(1), false, now)
	if k.has(numberedKey(1), now) {
		t.Error("a revoked token is known")
	}
	for n := range 10 * maxKnown {
		k.note(numberedKey(n), true, now)
	}
	if n := k.until.Len(); n > 2*maxKnown {
		t.Errorf("%d tokens remembered, want at most %d", n, 2*maxKnown)
	}
}

func TestNoLimitOfUnknownTokens(t *testing.T) {
	c := clock.At(time.Unix(testNow, 0))
	in, asked := floodIntrospector(t, c, func(cfg *IntrospectionConfig) { cfg.UnknownPerSecond = -1 })
	for n := range 1000 {
		in.Authenticate(t.Context(), bearer(fmt.Sprint("garbage-", n)))
	}
	if n := asked.Load(); n != 1000 {
		t.Errorf("%d introspections, want 1000", n)
	}
}

// Of the look-ups that may be under way, unknown tokens leave a quarter.
func TestUnknownTokensLeaveRoom(t *testing.T) {
	c := newCache[validation](testTTL, time.Now)
	release := make(chan struct{})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	begin := func(n int, known bool) error {
		_, err := c.do(ended, time.Now().Add(time.Minute), question[validation]{key: numberedKey(n), known: known, ask: func(context.Context) (validation, error) {
			<-release
			return refuse("inactive"), nil
		}})
		return err
	}
	for n := range maxUnknownFlights {
		if err := begin(n, false); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if err := begin(maxUnknownFlights, false); !errors.Is(err, ErrUnavailable) {
		t.Errorf("one more unknown token = %v, want ErrUnavailable", err)
	}
	if err := begin(maxUnknownFlights, true); !errors.Is(err, context.Canceled) {
		t.Errorf("a known token = %v, want it to be looked up", err)
	}
	close(release)
}

func BenchmarkFlood(b *testing.B) {
	c := clock.At(time.Unix(testNow, 0))
	in, _ := floodIntrospector(b, c, func(cfg *IntrospectionConfig) { cfg.UnknownPerSecond, cfg.UnknownBurst = 1e-3, 1 })
	in.Authenticate(b.Context(), bearer("good"))
	ctx := from(b, "192.0.2.1")
	in.Authenticate(ctx, bearer("garbage")) // the burst
	header := bearer("garbage-that-is-as-long-as-an-opaque-token-usually-is-0123456789")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := in.Authenticate(ctx, header); !errors.Is(err, ErrRateLimited) {
			b.Fatal(err)
		}
	}
}
