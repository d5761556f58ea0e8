package authz

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// rejecting is a provider that answers about some tokens, or about all, with a status.
func rejecting(code *int, tokens func(string) bool) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		if *code != 0 && tokens(r.FormValue("token")) {
			return status(*code)(r)
		}
		return respond(bubbleAnswer())
	}
}

// A token that the provider rejects while it answers about others is a bad token; until others were asked about it is nobody's
// fault. Other statuses than 400 and 401 say nothing about a token.
func TestRejectedToken(t *testing.T) {
	for code, want := range map[int]error{400: ErrInvalidToken, 401: ErrInvalidToken, 403: ErrUnavailable, 404: ErrUnavailable, 500: ErrUnavailable} {
		for _, ttl := range []time.Duration{0, testTTL} {
			synctest.Test(t, func(t *testing.T) {
				now := code
				in := bubbleIntrospector(t, ttl, rejecting(&now, func(token string) bool { return token == offender }))
				call := func(token string) error {
					_, err := in.Authenticate(t.Context(), bearer(token))
					time.Sleep(time.Second)
					return err
				}
				if err := call("before"); err != nil {
					t.Fatal(err)
				}
				for range 5 {
					if err := call(offender); !errors.Is(err, ErrUnavailable) {
						t.Errorf("%d, ttl %v, nobody else was asked about: %v, want ErrUnavailable", code, ttl, err)
					}
				}
				if err := call("bystander"); err != nil {
					t.Fatal(err)
				}
				for range 5 {
					err := call(offender)
					if refused := Refused(err); !errors.Is(err, want) || (refused != nil && refused.Reason == ReasonRejected) != (want == ErrInvalidToken) { //nolint:errorlint // the row's own
						t.Errorf("%d, ttl %v, while others are answered: %v, want %v", code, ttl, err, want)
					}
				}
				now = 0
				time.Sleep(time.Second)
				if err := call(offender); err != nil {
					t.Errorf("%d, ttl %v, when it is answered about: %v", code, ttl, err)
				}
			})
		}
	}
}

// A provider that rejects our client id or secret, from the start or from some moment on, ends nobody's token, and the log says
// what is wrong.
func TestRejectedClient(t *testing.T) {
	for _, wellAtFirst := range []bool{false, true} {
		for code, line := range map[int]string{401: "the provider refuses the client id, or its secret or key (status 401)", 403: "the provider refuses the client id, or its secret or key (status 403)", 400: "status 400"} {
			synctest.Test(t, func(t *testing.T) {
				var log lockedBuffer
				now := 0
				in := bubbleIntrospector(t, testTTL, rejecting(&now, func(string) bool { return true }))
				in.introspectUnknown.failureLog.log = slog.New(slog.NewTextHandler(&log, nil))
				call := func(token string) error {
					_, err := in.Authenticate(t.Context(), bearer(token))
					return err
				}
				if wellAtFirst {
					for n := range 3 {
						if err := call(fmt.Sprint("token-", n)); err != nil {
							t.Fatal(err)
						}
					}
				}
				time.Sleep(time.Minute)
				now = code
				for range 100 {
					for n := range 5 {
						if err := call(fmt.Sprint("token-", n)); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrInvalidToken) {
							t.Fatalf("%d, well at first %v: %v, want ErrUnavailable", code, wellAtFirst, err)
						}
					}
					time.Sleep(time.Second)
				}
				if !strings.Contains(log.String(), line) || strings.Contains(log.String(), "token-") {
					t.Errorf("%d, well at first %v: the log does not say what is wrong, or too much:\n%.2000s", code, wellAtFirst, log.String())
				}
			})
		}
	}
}

// Whatever the order of questions and answers: a token is called rejected only after a question about another one that began
// after its own first rejection was answered. And no more tokens are remembered than there may be.
func TestRejectionsInvariants(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		r := newRejections(func() time.Time { return time.Unix(testNow, 0) })
		type under struct {
			question uint64
			token    int
		}
		var out []under
		first := map[int]uint64{} // questions that had begun at the first rejection since a token was last answered about
		answered, begun := map[int]uint64{}, uint64(0)
		for range 200 {
			if len(out) == 0 || random.IntN(2) == 0 {
				begun++
				out = append(out, under{r.begin(), random.IntN(4)})
				continue
			}
			i := random.IntN(len(out))
			u := out[i]
			out = append(out[:i], out[i+1:]...)
			key := numberedKey(u.token)
			if random.IntN(3) == 0 {
				r.recordAnswer(u.question, key)
				answered[u.token] = max(answered[u.token], u.question)
				delete(first, u.token)
				continue
			}
			aboutToken, _ := r.recordRejection(key)
			since, before := first[u.token]
			if !before {
				first[u.token] = begun
			}
			want := false
			for other, question := range answered {
				want = want || before && other != u.token && question > since
			}
			if aboutToken != want {
				t.Fatalf("reject = %v, want %v", aboutToken, want)
			}
		}
	}
	r := newRejections(func() time.Time { return time.Unix(testNow, 0) })
	for n := range 10 * maxRejected {
		r.recordRejection(numberedKey(n))
	}
	if n := r.tokens.Len(); n > 2*maxRejected {
		t.Errorf("%d tokens remembered, want at most %d", n, 2*maxRejected)
	}
}
