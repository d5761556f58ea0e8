package authz

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// With a provider that hangs, callers wait for it with three tokens, then all are told at once; and they get in again with
// the first probe after it has come back.
func TestProviderIsLeftAlone(t *testing.T) {
	for _, ttl := range []time.Duration{0, testTTL} {
		synctest.Test(t, func(t *testing.T) {
			hanging, asked := true, 0
			in := bubbleIntrospector(t, ttl, func(r *http.Request) (*http.Response, error) {
				asked++
				if hanging {
					return hang(r)
				}
				return respond(bubbleAnswer())
			})
			call := func(token string) (time.Duration, error) {
				began := time.Now()
				_, err := in.Authenticate(t.Context(), bearer(token))
				synctest.Wait()
				return time.Since(began), err
			}
			for i := range 3 {
				if took, err := call(fmt.Sprint("token-", i)); !errors.Is(err, ErrUnavailable) || took != DefaultIntrospectionTimeout {
					t.Fatalf("ttl %v, call %d: %v after %v, want ErrUnavailable after the time-out", ttl, i, err, took)
				}
			}
			for range 100 {
				if took, err := call(testToken); !errors.Is(err, ErrUnavailable) || took != 0 || RetryAfter(err) != firstOpenTimeout {
					t.Fatalf("ttl %v: while it is left alone: %v after %v, again in %v", ttl, err, took, RetryAfter(err))
				}
			}
			if asked != 3 {
				t.Errorf("ttl %v: asked %d times, want 3", ttl, asked)
			}
			time.Sleep(firstOpenTimeout)
			results := make(chan time.Duration, 50)
			for range cap(results) { // a probe, and callers who come meanwhile with other tokens
				go func() {
					began := time.Now()
					in.Authenticate(t.Context(), bearer("another-token"))
					results <- time.Since(began)
				}()
			}
			if took, err := call(testToken); !errors.Is(err, ErrUnavailable) {
				t.Errorf("ttl %v: beside the probe: %v after %v", ttl, err, took)
			}
			for range cap(results) {
				<-results
			}
			if asked != 4 {
				t.Errorf("ttl %v: asked %d times, want 4 with one probe", ttl, asked)
			}
			hanging = false
			time.Sleep(2 * firstOpenTimeout)
			for range 3 {
				if took, err := call(testToken); err != nil || took != 0 {
					t.Errorf("ttl %v: after it came back: %v after %v", ttl, err, took)
				}
			}
		})
	}
}

// A provider that is broken for everybody is asked about a dozen tokens and then left alone. One that refuses connections is left alone
// after a dozen questions, also when they are all about one token.
func TestBrokenProviderIsLeftAlone(t *testing.T) {
	for _, row := range []struct {
		why   string
		fail  roundTrip
		token func(n int) string
	}{
		{"500 for everybody", status(http.StatusInternalServerError), func(n int) string { return fmt.Sprint("token-", n) }},
		{"refuses connections", func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
		}, func(int) string { return testToken }},
	} {
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			in := bubbleIntrospector(t, testTTL, func(r *http.Request) (*http.Response, error) { asked++; return row.fail(r) })
			for n := range 100 {
				if _, err := in.Authenticate(t.Context(), bearer(row.token(n))); !errors.Is(err, ErrUnavailable) || errors.Is(err, errCircuitOpen) != (n >= failureThreshold) {
					t.Errorf("%s: call %d = %v", row.why, n, err)
				}
			}
			if asked != failureThreshold {
				t.Errorf("%s: asked %d times, want %d", row.why, asked, failureThreshold)
			}
		})
	}
}

// A token for which the provider fails is asked about twice and then once a second, at whatever cache_ttl, and nobody who
// comes with it waits longer than that.
func TestFailingTokenIsAskedAboutOnceASecond(t *testing.T) {
	for _, ttl := range []time.Duration{0, testTTL} {
		synctest.Test(t, func(t *testing.T) {
			asked, well := 0, false
			in := bubbleIntrospector(t, ttl, func(r *http.Request) (*http.Response, error) {
				asked++
				if well {
					return respond(bubbleAnswer())
				}
				return status(http.StatusInternalServerError)(r)
			})
			call := func() error {
				_, err := in.Authenticate(t.Context(), bearer(testToken))
				return err
			}
			for second := range 10 {
				for range 100 {
					if err := call(); !errors.Is(err, ErrUnavailable) || errors.Is(err, errFailedBefore) && (RetryAfter(err) <= 0 || RetryAfter(err) > failedFor) {
						t.Fatalf("ttl %v: Authenticate = %v, again in %v", ttl, err, RetryAfter(err))
					}
				}
				if want := 2 + second; asked != want {
					t.Fatalf("ttl %v: asked %d times by second %d, want %d", ttl, asked, second, want)
				}
				time.Sleep(failedFor)
			}
			well = true
			for range 2 {
				if err := call(); err != nil {
					t.Errorf("ttl %v: after it is well again: %v", ttl, err)
				}
			}
		})
	}
}

// However many tokens fail, few of them are remembered.
func TestFailedQuestionsAreBounded(t *testing.T) {
	f := newFailedQuestions(func() time.Time { return time.Unix(testNow, 0) })
	for n := range 10 * maxFailed {
		for range 2 {
			f.note(numberedKey(n), ErrUnavailable)
		}
	}
	if n := f.recent.Len(); n > 2*maxFailed {
		t.Errorf("%d questions remembered, want at most %d", n, 2*maxFailed)
	}
	last := numberedKey(10*maxFailed - 1)
	if err := f.check(last, true); !errors.Is(err, errFailedBefore) {
		t.Errorf("check = %v, want %v", err, errFailedBefore)
	}
	f.note(last, nil)
	if err := f.check(last, true); err != nil {
		t.Errorf("check after an answer = %v", err)
	}
}

// Tokens that nobody knows can make a provider fail as often as they like: known ones are asked about all the same, and what
// is answered about one of those shows that the provider is there for fresh ones, too.
func TestUnknownTokensDoNotEndTheAskingAboutKnownOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := bubbleIntrospector(t, 0, func(r *http.Request) (*http.Response, error) {
			if token := r.FormValue("token"); token != testToken && token != "fresh" {
				return nil, errors.New("poison")
			}
			return respond(bubbleAnswer())
		})
		good := func(token string) {
			t.Helper()
			if _, err := in.Authenticate(t.Context(), bearer(token)); err != nil {
				t.Errorf("%s token: %v", token, err)
			}
		}
		good(testToken)
		time.Sleep(successGrace)
		withheld := 0
		for n := range 100 {
			if _, err := in.Authenticate(t.Context(), bearer(fmt.Sprint("poison-", n))); errors.Is(err, errCircuitOpen) {
				withheld++
			} else if !errors.Is(err, ErrUnavailable) {
				t.Errorf("poison: %v", err)
			}
		}
		if withheld != 100-failureThreshold {
			t.Errorf("%d of 100 were not asked about, want %d", withheld, 100-failureThreshold)
		}
		good(testToken)
		good("fresh")
		for n := range 10 { // however the poison goes on
			for m := range 100 {
				in.Authenticate(t.Context(), bearer(fmt.Sprint("more-poison-", n, "-", m)))
			}
			good("fresh")
			time.Sleep(successGrace / 2)
		}
	})
}
