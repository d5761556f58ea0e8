package authz

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// roundTrip is a provider without a network, so that time in a synctest bubble is exact.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func respond(text string) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(text))}, nil
}

// status is a provider that answers with a status and nothing else.
func status(code int) roundTrip {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}}, Body: http.NoBody}, nil
	}
}

const bubbleDiscovery = `{"issuer":"https://id.example","introspection_endpoint":"https://id.example/i"}`

// bubbleIntrospector asks a provider whose introspection is given.
func bubbleIntrospector(t *testing.T, ttl time.Duration, introspect roundTrip) *Introspector {
	in, err := NewIntrospector(IntrospectionConfig{
		Issuer: "https://id.example", ClientID: "client", ClientSecret: "secret", Audience: "avatars", CacheTTL: ttl,
		HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodGet {
				return respond(bubbleDiscovery)
			}
			return introspect(r)
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func hang(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func bubbleAnswer() string {
	return claims(map[string]any{"exp": time.Now().Add(time.Hour).Unix(), "nbf": nil})
}

func TestSlowProvider(t *testing.T) {
	for _, ttl := range []time.Duration{0, testTTL} {
		synctest.Test(t, func(t *testing.T) {
			slow := true
			in := bubbleIntrospector(t, ttl, func(r *http.Request) (*http.Response, error) {
				if slow {
					return hang(r)
				}
				return respond(bubbleAnswer())
			})
			began := time.Now()
			_, err := in.Authenticate(t.Context(), bearer(testToken))
			if took := time.Since(began); !errors.Is(err, ErrUnavailable) || took != DefaultIntrospectionTimeout {
				t.Errorf("ttl %v: Authenticate = %v after %v, want ErrUnavailable after %v", ttl, err, took, DefaultIntrospectionTimeout)
			}
			synctest.Wait()
			slow = false
			if _, err := in.Authenticate(t.Context(), bearer(testToken)); err != nil {
				t.Errorf("ttl %v: after recovery: %v", ttl, err)
			}
		})
	}
}

// A caller who joins a call that began while the provider was down is not refused with it, because the provider is well again when
// that caller comes.
func TestJoiningACallThatFails(t *testing.T) {
	for _, step := range []string{operationDiscovery, operationIntrospection} {
		synctest.Test(t, func(t *testing.T) {
			var slow atomic.Bool
			slow.Store(true)
			var asked atomic.Int64
			in := bubbleIntrospector(t, testTTL, nil)
			in.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
				at, text := operationIntrospection, bubbleAnswer()
				if r.Method == http.MethodGet {
					at, text = operationDiscovery, bubbleDiscovery
				}
				if at != step {
					return respond(text)
				}
				asked.Add(1)
				if slow.Load() {
					return hang(r)
				}
				return respond(text)
			})
			first := make(chan error, 1)
			go func() {
				_, err := in.Authenticate(t.Context(), bearer(testToken))
				first <- err
			}()
			time.Sleep(DefaultIntrospectionTimeout - time.Millisecond)
			slow.Store(false)
			late := make(chan error, 10)
			for range cap(late) {
				go func() {
					_, err := in.Authenticate(t.Context(), bearer(testToken))
					late <- err
				}()
			}
			if err := <-first; !errors.Is(err, ErrUnavailable) {
				t.Errorf("%s: the first = %v, want ErrUnavailable", step, err)
			}
			for range cap(late) {
				if err := <-late; err != nil {
					t.Errorf("%s: one who came after the recovery = %v", step, err)
				}
			}
			if n := asked.Load(); n != 2 {
				t.Errorf("%s: asked %d times, want 2: the late ones share one", step, n)
			}
		})
	}
}

// When all callers of an outage have their answers, the next caller does not wait for anything that they began: a look-up that began
// for a caller with little time left ends with that time.
func TestNothingIsLeftOfAnOutage(t *testing.T) {
	for _, step := range []string{operationDiscovery, operationIntrospection} {
		synctest.Test(t, func(t *testing.T) {
			var slow atomic.Bool
			slow.Store(true)
			in := bubbleIntrospector(t, testTTL, nil)
			in.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
				at, text := operationIntrospection, bubbleAnswer()
				if r.Method == http.MethodGet {
					at, text = operationDiscovery, bubbleDiscovery
				}
				if slow.Load() && at == step {
					return hang(r)
				}
				return respond(text)
			})
			results := make(chan error, 3)
			for range cap(results) { // the later ones join the first, and then ask again
				go func() {
					_, err := in.Authenticate(t.Context(), bearer(testToken))
					results <- err
				}()
				time.Sleep(time.Millisecond)
			}
			for range cap(results) {
				if err := <-results; !errors.Is(err, ErrUnavailable) {
					t.Errorf("%s: during the outage = %v, want ErrUnavailable", step, err)
				}
			}
			slow.Store(false)
			began := time.Now()
			if _, err := in.Authenticate(t.Context(), bearer(testToken)); err != nil {
				t.Errorf("%s: after the outage = %v", step, err)
			}
			if took := time.Since(began); took != 0 {
				t.Errorf("%s: the first call after the outage took %v, want nothing to wait for", step, took)
			}
		})
	}
}

func TestCallersDeadlineIsTheirOwn(t *testing.T) {
	for _, ttl := range []time.Duration{0, testTTL} {
		synctest.Test(t, func(t *testing.T) {
			in := bubbleIntrospector(t, ttl, hang)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			began := time.Now()
			_, err := in.Authenticate(ctx, bearer(testToken))
			if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrUnavailable) || took != time.Second {
				t.Errorf("ttl %v: Authenticate = %v after %v, want the context's error after 1s", ttl, err, took)
			}
			time.Sleep(DefaultIntrospectionTimeout) // a shared look-up ends by itself
		})
	}
}

// A caller who goes away does not count as a failure of the provider.
func TestCallersEndIsNotLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lockedBuffer
		in := bubbleIntrospector(t, 0, hang)
		in.introspectUnknown.failureLog.log = slog.New(slog.NewTextHandler(&log, nil))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		in.Authenticate(ctx, bearer(testToken))
		if log.String() != "" {
			t.Errorf("log after the caller's own deadline:\n%s", log.String())
		}
		in.Authenticate(t.Context(), bearer(testToken))
		if !strings.Contains(log.String(), "no answer in time") {
			t.Errorf("log after the provider's: %q", log.String())
		}
	})
}

func TestPlacesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int64
		release := make(chan struct{})
		close(release)
		in := bubbleIntrospector(t, 0, func(*http.Request) (*http.Response, error) {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			<-release
			return respond(bubbleAnswer())
		})
		const tokens = maxConcurrent / maxConcurrentPerToken // take all places together
		for n := range tokens {
			if _, err := in.Authenticate(t.Context(), bearer(fmt.Sprint("known", n))); err != nil {
				t.Fatal(err)
			}
		}
		release = make(chan struct{})
		results := make(chan error, 4*maxConcurrent)
		call := func(token string) {
			_, err := in.Authenticate(t.Context(), bearer(token))
			results <- err
		}
		for _, row := range []struct {
			token string
			want  int64
		}{{"unknown", maxConcurrent - reservedForKnown}, {"known", maxConcurrent}} {
			for n := range 2 * maxConcurrent {
				go call(fmt.Sprint(row.token, n%tokens))
			}
			synctest.Wait()
			if n := running.Load(); n != row.want {
				t.Fatalf("%d introspections at once with %s tokens, want %d", n, row.token, row.want)
			}
		}
		// Callers give up; the places they waited for are not lost.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, token := range []string{"known", "unknown"} {
			if _, err := in.Authenticate(ctx, bearer(token+"0")); !errors.Is(err, context.Canceled) {
				t.Errorf("Authenticate without a place = %v, want the context's error", err)
			}
		}
		close(release)
		for range cap(results) {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if n, taken := most.Load(), len(in.concurrency.all)+len(in.concurrency.unknown); n != maxConcurrent || taken != 0 {
			t.Errorf("%d at once and %d places taken at the end, want %d and 0", n, taken, maxConcurrent)
		}
	})
}

func TestNoPlaceInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := bubbleIntrospector(t, testTTL, func(*http.Request) (*http.Response, error) { return respond(bubbleAnswer()) })
		for range maxConcurrent {
			in.concurrency.all <- struct{}{}
		}
		began := time.Now()
		_, err := in.Authenticate(t.Context(), bearer(testToken))
		if took := time.Since(began); !errors.Is(err, ErrUnavailable) || took != DefaultIntrospectionTimeout {
			t.Errorf("Authenticate = %v after %v, want ErrUnavailable after %v", err, took, DefaultIntrospectionTimeout)
		}
		synctest.Wait() // the look-up that had no place is over, too
		<-in.concurrency.all
		if _, err := in.Authenticate(t.Context(), bearer(testToken)); err != nil {
			t.Errorf("with a place free again: %v", err)
		}
	})
}

func TestPanicWhileAsking(t *testing.T) {
	for _, ttl := range []time.Duration{0, testTTL} {
		in := bubbleIntrospector(t, ttl, func(*http.Request) (*http.Response, error) { panic(testSecret) })
		_, err := in.Authenticate(t.Context(), bearer(testToken))
		if !errors.Is(err, ErrUnavailable) || strings.Contains(errText(err), testSecret) || len(in.concurrency.all) != 0 {
			t.Errorf("ttl %v: Authenticate = %v with %d places taken, want ErrUnavailable and 0", ttl, err, len(in.concurrency.all))
		}
	}
}

func BenchmarkAuthenticateHit(b *testing.B) {
	for name, token := range map[string]string{"opaque100B": strings.Repeat("a", 100), "jwt1500B": strings.Repeat("a", 1500), "jwt8kB": strings.Repeat("a", 8000)} {
		b.Run(name, func(b *testing.B) {
			in, err := NewIntrospector(IntrospectionConfig{
				Issuer: "https://id.example", ClientID: "client", ClientSecret: "secret", Audience: "avatars", CacheTTL: time.Hour,
				HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					if r.Method == http.MethodGet {
						return respond(bubbleDiscovery)
					}
					return respond(bubbleAnswer())
				})},
			})
			if err != nil {
				b.Fatal(err)
			}
			header := bearer(token)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := in.Authenticate(b.Context(), header); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
