package authz

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func TestBreaker(t *testing.T) {
	type move struct {
		why  string
		wait time.Duration // before it
		end  ending        // of the question, when there is leave to ask
		let  bool
	}
	times := func(n int, m move) (moves []move) {
		for range n {
			moves = append(moves, m)
		}
		return moves
	}
	asked := func(why string, wait time.Duration, end ending) move { return move{why, wait, end, true} }
	rests := func(why string, wait time.Duration) move { return move{why, wait, answered, false} }
	quick := asked("a quick failure", 0, failedQuickly)
	for _, row := range []struct {
		why   string
		moves [][]move
	}{
		{"a dozen quick failures in a row", [][]move{times(12, quick), {rests("at once", 0), rests("just before its end", time.Second-1)}}},
		{"eleven and an answer, again and again", [][]move{times(11, quick), {asked("ok", 0, answered)}, times(11, quick), {asked("ok", 0, answered)}, times(11, quick), {asked("still asked", 0, answered)}}},
		{"three that took the whole time-out", [][]move{times(3, asked("slow", 0, failedSlowly)), {rests("at once", 0)}}},
		{"two slow and three quick ones are not enough", [][]move{times(2, asked("slow", 0, failedSlowly)), times(3, quick), {asked("still asked", 0, answered)}}},
		{"what tells nothing neither adds nor clears", [][]move{times(11, quick), times(50, asked("no news", 0, noNews)), {quick, rests("twelve by now", 0)}}},
		{"rests grow with each probe that fails, up to their limit", [][]move{times(12, quick), {
			asked("first probe", time.Second, failedQuickly), rests("2 s", 2*time.Second-1),
			asked("second", 1, failedQuickly), rests("4 s", 4*time.Second-1),
			asked("third", 1, failedSlowly), rests("8 s", 8*time.Second-1),
			asked("fourth", 1, failedSlowly), rests("8 s again", 8*time.Second-1),
			asked("fifth", 1, answered), asked("asked like before", 0, answered),
		}, times(11, quick), {asked("one failure after a rest is no relapse", 0, answered)}}},
		{"a probe that tells nothing leaves the next caller to be one", [][]move{times(12, quick), {
			asked("probe", time.Second, noNews), asked("probe again, at once", 0, noNews), asked("and again", 0, answered),
		}}},
	} {
		var b breaker
		now := time.Unix(testNow, 0)
		n := 0
		for _, moves := range row.moves {
			for _, m := range moves {
				n++
				now = now.Add(m.wait)
				p, wait, ok := b.enter(now)
				if ok != m.let || ok != (wait == 0) {
					t.Fatalf("%s, move %d (%s): enter = %v, wait %v, want %v", row.why, n, m.why, ok, wait, m.let)
				}
				if ok {
					b.leave(p, m.end, now)
				}
			}
		}
	}
}

// Failures of calls that ran side by side are one failure, and calls from before a rest end no rest that began since.
func TestBreakerAmongMany(t *testing.T) {
	now := time.Unix(testNow, 0)
	var b breaker
	enter := func() pass {
		t.Helper()
		p, _, ok := b.enter(now)
		if !ok {
			t.Fatal("not asked")
		}
		return p
	}
	var together []pass
	for range 1000 {
		together = append(together, enter())
	}
	for _, p := range together {
		b.leave(p, failedSlowly, now)
	}
	slow, lost := enter(), enter() // asked, so a thousand at once did not end it
	for range 2 {
		b.leave(enter(), failedSlowly, now)
	}
	if _, wait, ok := b.enter(now); ok || wait != firstRest {
		t.Fatalf("after three rounds: enter = %v, wait %v, want a rest of %v", ok, wait, firstRest)
	}
	b.leave(lost, failedSlowly, now)
	if _, wait, _ := b.enter(now); wait != firstRest {
		t.Errorf("a failure from before the rest changed it to %v", wait)
	}
	now = now.Add(firstRest)
	probe := enter()
	if _, wait, ok := b.enter(now); ok || wait != probeWait {
		t.Errorf("a second probe beside the first: %v, wait %v", ok, wait)
	}
	b.leave(slow, answered, now) // begun long ago, answered now
	enter()
	b.leave(probe, failedSlowly, now) // the probe began before that answer
	enter()
}

// Whatever happens, there is never more than one probe, a rest is never longer than its limit, and an answer ends it.
func TestBreakerInvariants(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var b breaker
		now := time.Unix(testNow, 0)
		var out []pass
		for range 500 {
			now = now.Add(time.Duration(random.IntN(500)) * time.Millisecond)
			if p, wait, ok := b.enter(now); ok {
				out = append(out, p)
			} else if wait <= 0 || wait > maxRest {
				t.Fatalf("told to wait %v", wait)
			}
			probes := 0
			for _, p := range out {
				if p.probe {
					probes++
				}
			}
			if probes > 1 {
				t.Fatalf("%d probes at once", probes)
			}
			for len(out) > 0 && random.IntN(3) > 0 {
				i := random.IntN(len(out))
				end := ending(random.IntN(4))
				rests := b.leave(out[i], end, now)
				out = append(out[:i], out[i+1:]...)
				if end == answered && (b.rest != 0 || b.score != 0) || rests && b.rest == 0 || b.rest > maxRest {
					t.Fatalf("after %v: %+v, rests %v", end, b, rests)
				}
			}
		}
	}
}

func TestEndings(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, row := range []struct {
		why      string
		caller   context.Context
		err      error
		panicked any
		long     bool
		want     ending
	}{
		{"an answer", t.Context(), nil, nil, true, answered},
		{"an answer for a caller who has gone", over, nil, nil, true, answered},
		{"a panic", t.Context(), nil, "x", false, failedQuickly},
		{"a caller who has gone", over, context.Canceled, nil, true, noNews},
		{"no place among ours", t.Context(), errNoPlace, nil, true, noNews},
		{"a time-out", t.Context(), context.DeadlineExceeded, nil, true, failedSlowly},
		{"a time-out with no time in it", t.Context(), context.DeadlineExceeded, nil, false, noNews},
		{"a server that is broken", t.Context(), statusError(500), nil, false, failedQuickly},
		{"a redirect", t.Context(), statusError(302), nil, false, failedQuickly},
		{"a server that wants us to slow down", t.Context(), statusError(429), nil, false, failedQuickly},
		{"a server that does not take our secret is well", t.Context(), statusError(401), nil, false, answered},
		{"nonsense", t.Context(), errMalformedAnswer, nil, false, failedQuickly},
		{"anything else", t.Context(), errors.New("x"), nil, true, failedQuickly},
	} {
		if got := endingOf(row.caller, row.err, row.panicked, row.long); got != row.want {
			t.Errorf("%s: %v, want %v", row.why, got, row.want)
		}
	}
}

// With a provider that hangs, callers wait for it three times, then are told at once; and they get in again with the first
// probe after it has come back.
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
			call := func() (time.Duration, error) {
				began := time.Now()
				_, err := in.Authenticate(t.Context(), bearer(testToken))
				synctest.Wait()
				return time.Since(began), err
			}
			for i := range 3 {
				if took, err := call(); !errors.Is(err, ErrUnavailable) || took != DefaultIntrospectionTimeout {
					t.Fatalf("ttl %v, call %d: %v after %v, want ErrUnavailable after the time-out", ttl, i, err, took)
				}
			}
			for range 100 {
				if took, err := call(); !errors.Is(err, ErrUnavailable) || took != 0 || RetryAfter(err) != firstRest {
					t.Fatalf("ttl %v: while it is left alone: %v after %v, again in %v", ttl, err, took, RetryAfter(err))
				}
			}
			if asked != 3 {
				t.Errorf("ttl %v: asked %d times, want 3", ttl, asked)
			}
			time.Sleep(firstRest)
			results := make(chan time.Duration, 50)
			for range cap(results) { // a probe, and everybody who comes meanwhile with another token
				go func() {
					began := time.Now()
					in.Authenticate(t.Context(), bearer("another-token"))
					results <- time.Since(began)
				}()
			}
			if took, err := call(); !errors.Is(err, ErrUnavailable) {
				t.Errorf("ttl %v: beside the probe: %v after %v", ttl, err, took)
			}
			for range cap(results) {
				<-results
			}
			if asked != 4 {
				t.Errorf("ttl %v: asked %d times, want 4 with one probe", ttl, asked)
			}
			hanging = false
			time.Sleep(2 * firstRest)
			for range 3 {
				if took, err := call(); err != nil || took != 0 {
					t.Errorf("ttl %v: after it came back: %v after %v", ttl, err, took)
				}
			}
		})
	}
}

// Tokens that nobody knows can make a provider fail as often as they like: known ones are asked about all the same.
func TestUnknownTokensDoNotEndTheAskingAboutKnownOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := bubbleIntrospector(t, 0, func(r *http.Request) (*http.Response, error) {
			if r.FormValue("token") != testToken {
				return nil, errors.New("poison")
			}
			return respond(bubbleAnswer())
		})
		known := func() {
			t.Helper()
			if _, err := in.Authenticate(t.Context(), bearer(testToken)); err != nil {
				t.Errorf("known token: %v", err)
			}
		}
		known()
		resting := 0
		for range 100 {
			if _, err := in.Authenticate(t.Context(), bearer("poison")); errors.Is(err, errResting) {
				resting++
			} else if !errors.Is(err, ErrUnavailable) {
				t.Errorf("poison: %v", err)
			}
		}
		if resting != 100-restScore {
			t.Errorf("%d of 100 were not asked about, want %d", resting, 100-restScore)
		}
		known()
	})
}
