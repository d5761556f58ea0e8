package authz

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
	"time"
)

func TestBreaker(t *testing.T) {
	type move struct {
		why   string
		wait  time.Duration // before it
		token int           // 0 = none
		end   ending        // of the question, when there is leave to ask
		let   bool
	}
	asked := func(why string, wait time.Duration, token int, end ending) move {
		return move{why, wait, token, end, true}
	}
	rests := func(why string, wait time.Duration, token int) move { return move{why, wait, token, answered, false} }
	times := func(n int, m move) (moves []move) { // of one token
		for range n {
			moves = append(moves, m)
		}
		return moves
	}
	each := func(n int, end ending) (moves []move) { // of tokens 1 to n
		for token := 1; token <= n; token++ {
			moves = append(moves, asked("a token of many", 0, token, end))
		}
		return moves
	}
	for _, row := range []struct {
		why   string
		moves [][]move
	}{
		{"a dozen tokens fail quickly in a row", [][]move{each(12, failedQuickly), {rests("at once", 0, 99), rests("just before its end", time.Second-1, 99)}}},
		{"a dozen times no question gets through, for whatever token", [][]move{times(12, asked("refused", 0, 1, unreachable)), {rests("at once", 0, 99)}}},
		{"a dozen questions about no token fail", [][]move{times(6, asked("quick", 0, 0, failedQuickly)), times(6, asked("unusable", 0, 0, unusable)), {rests("at once", 0, 0)}}},
		{"one token fails quickly for ever", [][]move{times(1000, asked("quick", 0, 1, failedQuickly)), {asked("another", 0, 2, answered)}}},
		{"one token takes the whole time-out for ever", [][]move{times(1000, asked("slow", 0, 1, failedSlowly)), {asked("another", 0, 2, answered)}}},
		{"two tokens fail for ever, in turns", [][]move{times(100, asked("slow", 0, 1, failedSlowly)), times(100, asked("slow", 0, 2, failedSlowly)), times(100, asked("slow", 0, 1, failedSlowly)), {asked("another", 0, 3, answered)}}},
		{"answers that nobody can use, for many tokens", [][]move{each(100, unusable), {asked("another", 0, 101, answered)}}},
		{"eleven and an answer, again and again", [][]move{each(11, failedQuickly), {asked("ok", 0, 99, answered)}, each(11, failedQuickly), {asked("ok", 0, 99, answered)}, each(11, failedQuickly), {asked("still asked", 0, 99, answered)}}},
		{"three that took the whole time-out", [][]move{each(3, failedSlowly), {rests("at once", 0, 99)}}},
		{"two slow and three quick ones are not enough", [][]move{each(2, failedSlowly), each(5, failedQuickly), {asked("still asked", 0, 99, answered)}}},
		{"failures a minute apart have nothing to do with each other", [][]move{each(2, failedSlowly), {asked("a minute later", failureWindow, 3, failedSlowly), asked("still asked", 0, 4, failedSlowly), asked("and now", 0, 5, failedSlowly), rests("three within a minute", 0, 99)}}},
		{"however many tokens fail right after an answer", [][]move{{asked("ok", 0, 99, answered)}, each(100, failedSlowly), {
			asked("a moment before it is long ago", answerCounts-1, 101, failedQuickly), asked("long ago", 1, 102, failedQuickly), rests("at once", 0, 99),
		}}},
		{"what tells nothing neither adds nor clears", [][]move{each(11, failedQuickly), times(50, asked("no news", 0, 99, noNews)), {asked("the twelfth", 0, 12, failedQuickly), rests("twelve by now", 0, 99)}}},
		{"rests grow with each probe that fails, up to their limit", [][]move{each(12, failedQuickly), {
			asked("first probe", time.Second, 21, failedQuickly), rests("2 s", 2*time.Second-1, 99),
			asked("second", 1, 22, failedQuickly), rests("4 s", 4*time.Second-1, 99),
			asked("third", 1, 0, failedSlowly), rests("8 s", 8*time.Second-1, 99),
			asked("fourth", 1, 21, unreachable), rests("8 s again", 8*time.Second-1, 99),
			asked("fifth", 1, 23, answered), asked("asked like before", 0, 99, answered),
		}, each(11, failedQuickly), {asked("one failure after a rest is no relapse", 0, 99, answered)}}},
		{"a token that has failed lengthens no rest", [][]move{each(12, failedQuickly), {
			asked("one that has failed", time.Second, 12, failedQuickly), asked("again", 0, 1, failedSlowly),
			asked("another is asked about at once", 0, 99, answered), asked("and all others", 0, 12, answered),
		}}},
		{"a token that has failed ends a rest when it is well", [][]move{each(12, failedQuickly), {asked("well", time.Second, 12, answered), asked("all others", 0, 99, answered)}}},
		{"a probe that tells nothing leaves the next caller to be one", [][]move{each(12, failedQuickly), {
			asked("probe", time.Second, 21, noNews), asked("probe again, at once", 0, 22, unusable), asked("and again", 0, 23, answered),
		}}},
	} {
		var b breaker
		now := time.Unix(testNow, 0)
		n := 0
		for _, moves := range row.moves {
			for _, m := range moves {
				n++
				now = now.Add(m.wait)
				var token cacheKey
				if m.token > 0 {
					token = numberedKey(m.token)
				}
				p, wait, ok := b.enter(token, now)
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
	n := 0
	enter := func() pass { // with a token of its own each time
		t.Helper()
		n++
		p, _, ok := b.enter(numberedKey(n), now)
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
	offender := numberedKey(n)
	if _, wait, ok := b.enter(cacheKey{}, now); ok || wait != firstRest {
		t.Fatalf("after three rounds: enter = %v, wait %v, want a rest of %v", ok, wait, firstRest)
	}
	b.leave(lost, failedSlowly, now)
	if _, wait, _ := b.enter(cacheKey{}, now); wait != firstRest {
		t.Errorf("a failure from before the rest changed it to %v", wait)
	}
	now = now.Add(firstRest)
	if _, _, ok := b.enter(offender, now); !ok {
		t.Error("a token that has failed is not asked about")
	}
	probe := enter() // beside it
	for _, token := range []cacheKey{offender, numberedKey(1), numberedKey(9999), {}} {
		if _, wait, ok := b.enter(token, now); ok || wait != probeWait {
			t.Errorf("a second probe beside the first, or a second token that has failed: %v, wait %v", ok, wait)
		}
	}
	b.leave(slow, answered, now) // begun long ago, answered now
	enter()
	b.leave(probe, failedSlowly, now) // the probe began before that answer
	enter()
}

// Whatever happens, there is never more than one probe and one question beside it about a token that has failed, a rest is
// never longer than its limit, one token begins none, and an answer ends it.
func TestBreakerInvariants(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for round := range 400 {
		tokens := []int{1, 2, 40}[round%3] // for up to two tokens the score stays below that of a rest
		var b breaker
		now := time.Unix(testNow, 0)
		var out []pass
		for range 500 {
			now = now.Add(time.Duration(random.IntN(500)) * time.Millisecond)
			if p, wait, ok := b.enter(numberedKey(random.IntN(tokens)+1), now); ok {
				out = append(out, p)
			} else if wait <= 0 || wait > maxRest {
				t.Fatalf("told to wait %v", wait)
			}
			probes, repeats := 0, 0
			for _, p := range out {
				if p.probe {
					probes++
				}
				if p.repeat {
					repeats++
				}
			}
			if probes > 1 || repeats > 1 {
				t.Fatalf("%d probes and %d repetitions at once", probes, repeats)
			}
			for len(out) > 0 && random.IntN(3) > 0 {
				i := random.IntN(len(out))
				end := []ending{noNews, answered, unusable, failedQuickly, failedSlowly, unreachable}[random.IntN(6)]
				if tokens < 3 && end == unreachable {
					end = failedSlowly
				}
				rests := b.leave(out[i], end, now)
				out = append(out[:i], out[i+1:]...)
				if end == answered && (b.rest != 0 || b.score != 0) || rests && b.rest == 0 || b.rest > maxRest {
					t.Fatalf("after %v: %+v, rests %v", end, b, rests)
				}
				if rests && tokens < 3 {
					t.Fatalf("%d tokens have begun a rest: %+v", tokens, b)
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
		{"nonsense", t.Context(), errMalformedAnswer, nil, false, unusable},
		{"too much", t.Context(), fmt.Errorf("reading: %w", errAnswerTooLarge), nil, true, unusable},
		{"a page", t.Context(), errMediaType, nil, false, unusable},
		{"half an answer", t.Context(), json.Unmarshal([]byte(`{"active":`), new(any)), nil, false, unusable},
		{"nobody listens", t.Context(), &net.OpError{Op: "dial", Err: errors.New("refused")}, nil, false, unreachable},
		{"no such host", t.Context(), &net.OpError{Op: "dial", Err: &net.DNSError{}}, nil, false, unreachable},
		{"a certificate that is not accepted", t.Context(), &tls.CertificateVerificationError{Err: errors.New("expired")}, nil, false, unreachable},
		{"a connection that is cut", t.Context(), &net.OpError{Op: "read", Err: errors.New("reset")}, nil, false, failedQuickly},
		{"anything else", t.Context(), errors.New("x"), nil, true, failedQuickly},
	} {
		if got := endingOf(row.caller, row.err, row.panicked, row.long); got != row.want {
			t.Errorf("%s: %v, want %v", row.why, got, row.want)
		}
	}
}
