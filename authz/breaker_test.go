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

// move is a question that may be asked, or may not.
type move struct {
	why   string
	wait  time.Duration // before it
	token int           // 0 = none
	end   result        // of the question, when there is leave to ask
	let   bool
}

func asked(why string, wait time.Duration, token int, end result) move {
	return move{why, wait, token, end, true}
}

func rests(why string, wait time.Duration, token int) move {
	return move{why, wait, token, resultSuccess, false}
}

// times is a move n times, of one token.
func times(n int, m move) (moves []move) {
	for range n {
		moves = append(moves, m)
	}
	return moves
}

// each asks about the tokens 1 to n.
func each(n int, end result) (moves []move) {
	for token := 1; token <= n; token++ {
		moves = append(moves, asked("a token of many", 0, token, end))
	}
	return moves
}

// breakerRows are questions in a row, and which of them may be asked.
var breakerRows = []struct {
	why   string
	moves [][]move
}{
	{"a dozen tokens fail quickly in a row", [][]move{each(12, resultFailure), {rests("at once", 0, 99), rests("just before its end", time.Second-1, 99)}}},
	{"a dozen times no question gets through, for whatever token", [][]move{times(12, asked("refused", 0, 1, resultUnreachable)), {rests("at once", 0, 99)}}},
	{"a dozen questions about no token fail", [][]move{times(6, asked("quick", 0, 0, resultFailure)), times(6, asked("unusable", 0, 0, resultUnusable)), {rests("at once", 0, 0)}}},
	{"one token fails quickly for ever", [][]move{times(1000, asked("quick", 0, 1, resultFailure)), {asked("another", 0, 2, resultSuccess)}}},
	{"one token takes the whole time-out for ever", [][]move{times(1000, asked("slow", 0, 1, resultTimeout)), {asked("another", 0, 2, resultSuccess)}}},
	{"two tokens fail for ever, in turns", [][]move{times(100, asked("slow", 0, 1, resultTimeout)), times(100, asked("slow", 0, 2, resultTimeout)), times(100, asked("slow", 0, 1, resultTimeout)), {asked("another", 0, 3, resultSuccess)}}},
	{"answers that nobody can use, for many tokens", [][]move{each(100, resultUnusable), {asked("another", 0, 101, resultSuccess)}}},
	{"eleven and an answer, again and again", [][]move{each(11, resultFailure), {asked("ok", 0, 99, resultSuccess)}, each(11, resultFailure), {asked("ok", 0, 99, resultSuccess)}, each(11, resultFailure), {asked("still asked", 0, 99, resultSuccess)}}},
	{"three that took the whole time-out", [][]move{each(3, resultTimeout), {rests("at once", 0, 99)}}},
	{"two slow and three quick ones are not enough", [][]move{each(2, resultTimeout), each(5, resultFailure), {asked("still asked", 0, 99, resultSuccess)}}},
	{"failures a minute apart have nothing to do with each other", [][]move{each(2, resultTimeout), {asked("a minute later", failureWindow, 3, resultTimeout), asked("still asked", 0, 4, resultTimeout), asked("and now", 0, 5, resultTimeout), rests("three within a minute", 0, 99)}}},
	{"however many tokens fail right after an answer", [][]move{{asked("ok", 0, 99, resultSuccess)}, each(100, resultTimeout), {
		asked("a moment before it is long ago", successGrace-1, 101, resultFailure), asked("long ago", 1, 102, resultFailure), rests("at once", 0, 99),
	}}},
	{"what tells nothing neither adds nor clears", [][]move{each(11, resultFailure), times(50, asked("no news", 0, 99, resultIgnored)), {asked("the twelfth", 0, 12, resultFailure), rests("twelve by now", 0, 99)}}},
	{"rests grow with each probe that fails, up to their limit", [][]move{each(12, resultFailure), {
		asked("first probe", time.Second, 21, resultFailure), rests("2 s", 2*time.Second-1, 99),
		asked("second", 1, 22, resultFailure), rests("4 s", 4*time.Second-1, 99),
		asked("third", 1, 0, resultTimeout), rests("8 s", 8*time.Second-1, 99),
		asked("fourth", 1, 21, resultUnreachable), rests("8 s again", 8*time.Second-1, 99),
		asked("fifth", 1, 23, resultSuccess), asked("asked like before", 0, 99, resultSuccess),
	}, each(11, resultFailure), {asked("one failure after a rest is no relapse", 0, 99, resultSuccess)}}},
	{"a token that has failed lengthens no rest", [][]move{each(12, resultFailure), {
		asked("one that has failed", time.Second, 12, resultFailure), asked("again", 0, 1, resultTimeout),
		asked("another is asked about at once", 0, 99, resultSuccess), asked("and all others", 0, 12, resultSuccess),
	}}},
	{"a token that has failed ends a rest when it is well", [][]move{each(12, resultFailure), {asked("well", time.Second, 12, resultSuccess), asked("all others", 0, 99, resultSuccess)}}},
	{"a probe that tells nothing leaves the next caller to be one", [][]move{each(12, resultFailure), {
		asked("probe", time.Second, 21, resultIgnored), asked("probe again, at once", 0, 22, resultUnusable), asked("and again", 0, 23, resultSuccess),
	}}},
}

func TestBreaker(t *testing.T) {
	for _, row := range breakerRows {
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
				p, wait, ok := b.allow(token, now)
				if ok != m.let || ok != (wait == 0) {
					t.Fatalf("%s, move %d (%s): enter = %v, wait %v, want %v", row.why, n, m.why, ok, wait, m.let)
				}
				if ok {
					b.done(p, m.end, now)
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
	enter := func() permit { // with a token of its own each time
		t.Helper()
		n++
		p, _, ok := b.allow(numberedKey(n), now)
		if !ok {
			t.Fatal("not asked")
		}
		return p
	}
	var together []permit
	for range 1000 {
		together = append(together, enter())
	}
	for _, p := range together {
		b.done(p, resultTimeout, now)
	}
	slow, lost := enter(), enter() // asked, so a thousand at once did not end it
	for range 2 {
		b.done(enter(), resultTimeout, now)
	}
	offender := numberedKey(n)
	if _, wait, ok := b.allow(cacheKey{}, now); ok || wait != firstOpenTimeout {
		t.Fatalf("after three rounds: enter = %v, wait %v, want a rest of %v", ok, wait, firstOpenTimeout)
	}
	b.done(lost, resultTimeout, now)
	if _, wait, _ := b.allow(cacheKey{}, now); wait != firstOpenTimeout {
		t.Errorf("a failure from before the rest changed it to %v", wait)
	}
	now = now.Add(firstOpenTimeout)
	if _, _, ok := b.allow(offender, now); !ok {
		t.Error("a token that has failed is not asked about")
	}
	probe := enter() // beside it
	for _, token := range []cacheKey{offender, numberedKey(1), numberedKey(9999), {}} {
		if _, wait, ok := b.allow(token, now); ok || wait != probeRetryAfter {
			t.Errorf("a second probe beside the first, or a second token that has failed: %v, wait %v", ok, wait)
		}
	}
	b.done(slow, resultSuccess, now) // begun long ago, answered now
	enter()
	b.done(probe, resultTimeout, now) // the probe began before that answer
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
		var out []permit
		for range 500 {
			now = now.Add(time.Duration(random.IntN(500)) * time.Millisecond)
			if p, wait, ok := b.allow(numberedKey(random.IntN(tokens)+1), now); ok {
				out = append(out, p)
			} else if wait <= 0 || wait > maxOpenTimeout {
				t.Fatalf("told to wait %v", wait)
			}
			probes, repeats := 0, 0
			for _, p := range out {
				if p.probe {
					probes++
				}
				if p.retry {
					repeats++
				}
			}
			if probes > 1 || repeats > 1 {
				t.Fatalf("%d probes and %d repetitions at once", probes, repeats)
			}
			for len(out) > 0 && random.IntN(3) > 0 {
				i := random.IntN(len(out))
				end := []result{resultIgnored, resultSuccess, resultUnusable, resultFailure, resultTimeout, resultUnreachable}[random.IntN(6)]
				if tokens < 3 && end == resultUnreachable {
					end = resultTimeout
				}
				rests := b.done(out[i], end, now)
				out = append(out[:i], out[i+1:]...)
				if end == resultSuccess && (b.openFor != 0 || b.score != 0) || rests && b.openFor == 0 || b.openFor > maxOpenTimeout {
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
		want     result
	}{
		{"an answer", t.Context(), nil, nil, true, resultSuccess},
		{"an answer for a caller who has gone", over, nil, nil, true, resultSuccess},
		{"a panic", t.Context(), nil, "x", false, resultFailure},
		{"a caller who has gone", over, context.Canceled, nil, true, resultIgnored},
		{"no place among ours", t.Context(), errNoCapacity, nil, true, resultIgnored},
		{"a time-out", t.Context(), context.DeadlineExceeded, nil, true, resultTimeout},
		{"a time-out with no time in it", t.Context(), context.DeadlineExceeded, nil, false, resultIgnored},
		{"a server that is broken", t.Context(), statusError(500), nil, false, resultFailure},
		{"a redirect", t.Context(), statusError(302), nil, false, resultFailure},
		{"a server that wants us to slow down", t.Context(), statusError(429), nil, false, resultFailure},
		{"a server that does not take our secret is well", t.Context(), statusError(401), nil, false, resultSuccess},
		{"nonsense", t.Context(), errMalformedResponse, nil, false, resultUnusable},
		{"too much", t.Context(), fmt.Errorf("reading: %w", errResponseTooLarge), nil, true, resultUnusable},
		{"a page", t.Context(), errMediaType, nil, false, resultUnusable},
		{"half an answer", t.Context(), json.Unmarshal([]byte(`{"active":`), new(any)), nil, false, resultUnusable},
		{"nobody listens", t.Context(), &net.OpError{Op: "dial", Err: errors.New("refused")}, nil, false, resultUnreachable},
		{"no such host", t.Context(), &net.OpError{Op: "dial", Err: &net.DNSError{}}, nil, false, resultUnreachable},
		{"a certificate that is not accepted", t.Context(), &tls.CertificateVerificationError{Err: errors.New("expired")}, nil, false, resultUnreachable},
		{"a connection that is cut", t.Context(), &net.OpError{Op: "read", Err: errors.New("reset")}, nil, false, resultFailure},
		{"anything else", t.Context(), errors.New("x"), nil, true, resultFailure},
	} {
		if got := resultOf(row.caller, row.err, row.panicked, row.long); got != row.want {
			t.Errorf("%s: %v, want %v", row.why, got, row.want)
		}
	}
}
