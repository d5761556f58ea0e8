package authz

import (
	"context"
	"errors"
	"example.org/avatard/test/clock"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// listener keeps what an observer is told.
type listener struct {
	mu   sync.Mutex
	told []QuestionReport
}

func (l *listener) ObserveQuestion(r QuestionReport) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = append(l.told, r)
}

// take returns what was told since the last time.
func (l *listener) take() []QuestionReport {
	l.mu.Lock()
	defer l.mu.Unlock()
	told := l.told
	l.told = nil
	return told
}

// expect demands the reports since the last look.
func (l *listener) expect(t *testing.T, title string, want []QuestionReport) {
	t.Helper()
	if diff := cmp.Diff(want, l.take()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", title, diff)
	}
}

// Each question to the provider is told once, with how it ended and how long it took, and those that were not asked
// with the reason why.
func TestObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &listener{}
		var in *Introspector
		inFlight, broken := 0, false
		in, _ = floodIntrospector(t, clock.At(time.Unix(testNow, 0)), func(cfg *IntrospectionConfig) {
			good := cfg.HTTPClient.Transport
			cfg.Observer, cfg.Now, cfg.UnknownPerSecond, cfg.UnknownBurst = l, time.Now, 1, 20
			cfg.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				time.Sleep(20 * time.Millisecond)
				inFlight = in.Stats().InFlight
				switch {
				case broken:
					return nil, errors.New("broken")
				case r.Context().Err() != nil:
					return nil, r.Context().Err()
				}
				return good.RoundTrip(r)
			})}
		})
		expect := func(title string, want ...QuestionReport) { t.Helper(); l.expect(t, title, want) }
		call := func(token string) { _, _ = in.Authenticate(t.Context(), bearer(token)) }
		const took = 20 * time.Millisecond
		answered := QuestionReport{operationIntrospection, QuestionAnswered, took}

		call("good-1")
		expect("the first token", QuestionReport{operationDiscovery, QuestionAnswered, took}, answered)
		if inFlight != 1 || in.Stats().InFlight != 0 {
			t.Errorf("%d in flight during a question and %d after it, want 1 and 0", inFlight, in.Stats().InFlight)
		}
		call("good-1")
		call("good-1")
		expect("a token that is kept")
		call("bad")
		expect("a token that is refused", answered)
		want := CacheStats{Hits: 2, Misses: 1, Accepted: 1, Refused: 1} // the first had to wait for discovery
		if diff := cmp.Diff(want, in.Stats().Tokens); diff != "" {
			t.Errorf("the memory of tokens (-want +got):\n%s", diff)
		}

		broken = true
		time.Sleep(successGrace)
		for n := range failureThreshold {
			call(fmt.Sprint("other-", n))
			expect("a provider that fails", QuestionReport{operationIntrospection, QuestionFailed, took})
		}
		call("other")
		expect("a provider that is left alone", QuestionReport{operationIntrospection, QuestionCircuitOpen, 0})
		for range 10 {
			call("other")
		}
		if told := l.take(); len(told) == 0 || told[len(told)-1] != (QuestionReport{operationIntrospection, QuestionRateLimited, 0}) {
			t.Errorf("too many unknown tokens: told %v, want the last to be %s", told, QuestionRateLimited)
		}
	})
}

// Without a cache each caller asks a question of their own, and may leave before it ends.
func TestObserverAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &listener{}
		ctx, leave := context.WithCancel(t.Context())
		in, _ := floodIntrospector(t, clock.At(time.Unix(testNow, 0)), func(cfg *IntrospectionConfig) {
			good := cfg.HTTPClient.Transport
			cfg.Observer, cfg.CacheTTL = l, 0
			cfg.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.Method == http.MethodGet {
					return good.RoundTrip(r)
				}
				leave()
				<-r.Context().Done()
				return nil, r.Context().Err()
			})}
		})
		if _, err := in.Authenticate(ctx, bearer("good-1")); !errors.Is(err, context.Canceled) {
			t.Errorf("Authenticate = %v, want %v", err, context.Canceled)
		}
		want := []QuestionReport{{operationDiscovery, QuestionAnswered, 0}, {operationIntrospection, QuestionAbandoned, 0}}
		if diff := cmp.Diff(want, l.take()); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		if got := in.Stats(); got != (Stats{}) {
			t.Errorf("Stats = %+v, want nothing", got)
		}
	})
}
