package authz

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.org/avatard/test/clock"
)

// manyAtOnce asks about tokens at once, each from an address of its own, and returns how often each error came.
func manyAtOnce(t *testing.T, in *Introspector, tokens int, token func(i int) string) map[string]int {
	t.Helper()
	var mu sync.Mutex
	got := make(map[string]int)
	var wg sync.WaitGroup
	for i := range tokens {
		wg.Go(func() {
			_, err := in.Authenticate(from(t, fmt.Sprintf("192.0.%d.%d", i/250, i%250)), bearer(token(i)))
			kind := "other"
			for _, known := range []error{ErrRateLimited, errOverloaded, ErrInvalidToken, ErrUnavailable} {
				if errors.Is(err, known) {
					kind = known.Error()
					break
				}
			}
			if err == nil {
				kind = "let in"
			}
			if kind == ErrRateLimited.Error() && RetryAfter(err) <= 0 {
				kind += " without a time"
			}
			mu.Lock()
			defer mu.Unlock()
			got[kind]++
		})
	}
	wg.Wait()
	return got
}

func outcomes(told []QuestionReport) []QuestionOutcome {
	seen := make(map[QuestionOutcome]bool)
	for _, r := range told {
		seen[r.Outcome] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// Parts of the three lines that the log may have.
const providerFails, flood, overload = "does not answer as it should", "flood of unknown tokens", "more questions to the identity provider"

// floodRow is what a thousand tokens at once lead to.
type floodRow struct {
	why      string
	known    int           // of the tokens, those that were asked about before
	takes    time.Duration // an answer of the provider
	breaks   bool
	outcomes []QuestionOutcome
	log      []string // of the three, those that are in it
}

// Tokens invented from many addresses make the log and the metrics say flood, not that the provider fails. Failures of the provider
// itself are reported apart from that, and so are too many callers whose tokens are known.
func TestFloodIsSaidAsFlood(t *testing.T) {
	for _, row := range []floodRow{
		{"a provider that is a little slow", 0, 250 * time.Millisecond, false, []QuestionOutcome{QuestionAnswered, QuestionRateLimited}, []string{flood}},
		{"one that leaves the second in the line no time", 0, 2 * time.Second, false, []QuestionOutcome{QuestionAnswered, QuestionRateLimited}, []string{flood}},
		{"one that fails, too", 0, 0, true, nil, nil},
		{"known tokens", 1000, 400 * time.Millisecond, false, []QuestionOutcome{QuestionAnswered, QuestionOverloaded}, []string{overload}},
	} {
		for _, ttl := range []time.Duration{0, time.Minute} {
			synctest.Test(t, func(t *testing.T) {
				testFlood(t, row, ttl)
			})
		}
	}
}

// The log has a line of a flood every ten seconds, with how many tokens it stands for.
func TestLinesOfAFlood(t *testing.T) {
	var log lockedBuffer
	c := clock.At(time.Unix(testNow, 0))
	in, _ := floodIntrospector(t, c, func(cfg *IntrospectionConfig) {
		cfg.UnknownPerSecond, cfg.UnknownBurst, cfg.Logger = 1e-6, 1, slog.New(slog.NewTextHandler(&log, nil))
	})
	for i := range 3001 {
		_, _ = in.Authenticate(from(t, "192.0.2.1"), bearer(fmt.Sprint("invented", i)))
		c.Advance(10 * time.Millisecond)
	}
	for _, want := range []string{"withheld=1 over_the_limit_of_an_address=1", "withheld=1000 over_the_limit_of_an_address=1000"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no line with %q", want)
		}
	}
	if n := strings.Count(log.String(), "\n"); n != 3 {
		t.Errorf("%d lines, want 3:\n%s", n, log.String())
	}
}

// testFlood asks about a thousand tokens at once, in a bubble.
func testFlood(t *testing.T, row floodRow, ttl time.Duration) {
	var log lockedBuffer
	l := &listener{}
	provider := floodedProvider{}
	in := provider.introspector(t, ttl, slog.New(slog.NewTextHandler(&log, nil)), l)
	name := "invented"
	if row.known > 0 {
		name = "good"
	}
	token := func(i int) string { return fmt.Sprint(name, i) }
	for i := range max(1, row.known) {
		_, _ = in.Authenticate(t.Context(), bearer(token(i)))
		time.Sleep(20 * time.Millisecond) // within what one address may ask
	}
	time.Sleep(2 * time.Minute) // nothing is kept
	l.take()
	provider.takes, provider.breaks = row.takes, row.breaks
	got := manyAtOnce(t, in, 1000, token)
	synctest.Wait()
	if len(got) < 2 && !row.breaks || got["other"] > 0 || got[ErrRateLimited.Error()+" without a time"] > 0 {
		t.Errorf("%s, ttl %v: answers %v", row.why, ttl, got)
	}
	if row.breaks {
		if text := log.String(); !strings.Contains(text, providerFails) || strings.Contains(text, overload) {
			t.Errorf("%s, ttl %v: the log does not say so\n%s", row.why, ttl, text)
		}
		return
	}
	if diff := cmp.Diff(row.outcomes, outcomes(l.take())); diff != "" {
		t.Errorf("%s, ttl %v: outcomes (-want +got):\n%s", row.why, ttl, diff)
	}
	for _, line := range []string{providerFails, flood, overload, "left alone"} {
		if has := strings.Contains(log.String(), line); has != slices.Contains(row.log, line) {
			t.Errorf("%s, ttl %v: the log says %q: %v\n%s", row.why, ttl, line, has, log.String())
		}
	}
	if n := strings.Count(log.String(), flood); n > 1 {
		t.Errorf("%s, ttl %v: %d lines of one flood within ten seconds", row.why, ttl, n)
	}
}

// floodedProvider lets every token in whose name begins with "good".
type floodedProvider struct {
	takes  time.Duration // an answer
	breaks bool
}

func (p *floodedProvider) introspector(t *testing.T, ttl time.Duration, logger *slog.Logger, observer Observer) *Introspector {
	t.Helper()
	in, err := NewIntrospector(IntrospectionConfig{
		Issuer: "https://id.example", ClientID: "client", ClientSecret: "secret", Audience: "avatars", CacheTTL: ttl,
		Logger: logger, Observer: observer,
		HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodGet {
				return respond(bubbleDiscovery)
			}
			select {
			case <-time.After(p.takes):
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
			if p.breaks {
				return nil, errors.New("broken")
			}
			if strings.HasPrefix(r.FormValue("token"), "good") {
				return respond(bubbleAnswer())
			}
			return respond(`{"active":false}`)
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	return in
}
