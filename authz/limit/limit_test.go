package limit

import (
	"example.org/avatard/test/clock"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func TestRates(t *testing.T) {
	c := clock.At(time.Unix(1_700_000_000, 0))
	r := NewRateLimiter[string](Rate{PerSecond: 10, Burst: 5}, 100, c.Now)
	offer := func(key string, times int) (let int) {
		for range times {
			if _, ok := r.Allow(key); ok {
				let++
			}
		}
		return let
	}
	for _, step := range []struct {
		why   string
		after time.Duration
		key   string
		want  int // of 20
	}{
		{"a burst at the start", 0, "a", 5},
		{"nothing more at once", 0, "a", 0},
		{"another key has its own burst", 0, "b", 5},
		{"a tenth of a second earns one", 100 * time.Millisecond, "a", 1},
		{"less than that earns none", 99 * time.Millisecond, "a", 0},
		{"what is refused costs nothing", time.Millisecond, "a", 1},
		{"half a second earns a whole burst", 500 * time.Millisecond, "a", 5},
		{"an hour earns no more", time.Hour, "a", 5},
		{"a clock that was set back gives nothing away", -time.Minute, "a", 0},
	} {
		c.Advance(step.after)
		if got := offer(step.key, 20); got != step.want {
			t.Errorf("%s: %d of 20, want %d", step.why, got, step.want)
		}
	}
}

func TestRatesSayHowLongToWait(t *testing.T) {
	c := clock.At(time.Unix(1_700_000_000, 0))
	r := NewRateLimiter[string](Rate{PerSecond: 0.5, Burst: 1}, 100, c.Now)
	r.Allow("a")
	c.Advance(500 * time.Millisecond)
	wait, ok := r.Allow("a")
	if ok || wait != 1500*time.Millisecond {
		t.Errorf("Allow = %v, %v, want 1.5s, false", wait, ok)
	}
	c.Advance(wait - 1)
	if _, ok := r.Allow("a"); ok {
		t.Error("allowed before that time")
	}
	c.Advance(1)
	if _, ok := r.Allow("a"); !ok {
		t.Error("refused after that time")
	}
}

func TestNoLimit(t *testing.T) {
	if r := NewRateLimiter[int](Rate{Burst: 3}, 10, nil); r != nil {
		t.Errorf("NewRates without a rate = %v, want nil", r)
	}
	var none *RateLimiter[int]
	for range 1000 {
		if _, ok := none.Allow(1); !ok {
			t.Fatal("refused without a limit")
		}
	}
	r := NewRateLimiter[int](Rate{PerSecond: 1.5}, 10, clock.At(time.Time{}).Now)
	for i := range 4 {
		if _, ok := r.Allow(1); ok != (i < 3) {
			t.Errorf("event %d of a burst that is not set: %v, want three to pass", i, ok)
		}
	}
}

// However keys come and times pass, no key gets more than its rate allows, as long as there is room for all of them.
func TestRatesHold(t *testing.T) {
	const perSecond, burst, keys = 20, 7, 50
	random := rand.New(rand.NewPCG(1, 2))
	c := clock.At(time.Unix(1_700_000_000, 0))
	r := NewRateLimiter[int](Rate{PerSecond: perSecond, Burst: burst}, keys, c.Now)
	begun := c.Now()
	let := map[int][]time.Time{}
	for range 200_000 {
		key := random.IntN(keys)
		if _, ok := r.Allow(key); ok {
			let[key] = append(let[key], c.Now())
		}
		c.Advance(time.Duration(random.IntN(300)) * time.Microsecond)
	}
	for key, times := range let {
		for i := range times {
			if j := i + burst + 20; j < len(times) { // burst and twenty more take the time of twenty at least
				if took := times[j].Sub(times[i]); took < 20*time.Second/perSecond {
					t.Fatalf("key %d: %d events within %v", key, burst+21, took)
				}
			}
		}
		if most := perSecond * c.Now().Sub(begun).Seconds(); float64(len(times)) < 0.9*most {
			t.Errorf("key %d: only %d events where %v were allowed", key, len(times), most)
		}
	}
	if len(let) != keys {
		t.Errorf("%d keys got through, want %d", len(let), keys)
	}
}

func TestRatesAreBounded(t *testing.T) {
	c := clock.At(time.Unix(1_700_000_000, 0))
	r := NewRateLimiter[string](Rate{PerSecond: 1, Burst: 1}, 1000, c.Now)
	for i := range 100_000 {
		r.Allow(fmt.Sprint("stranger ", i))
		if n := r.arrivals.Len(); n > 2000 {
			t.Fatalf("%d entries after %d keys, want at most 2000", n, i+1)
		}
	}
	c.Advance(time.Minute)
	r.Allow("a")
	c.Advance(time.Minute)
	r.Allow("a")
	if n := r.arrivals.Len(); n != 2 { // before the last turn and after it
		t.Errorf("%d entries of one key once all others have rested, want 2", n)
	}
}

func TestRecent(t *testing.T) {
	r := NewRecentMap[int, string](3)
	for i := range 5 {
		r.Set(i, "x")
	}
	r.Set(1, "y") // set again, so not forgotten with its neighbours
	r.Set(5, "x")
	r.Set(6, "x")
	for key, want := range map[int]bool{0: false, 1: true, 2: false, 3: true, 4: true, 5: true, 6: true, 7: false} {
		if _, ok := r.Get(key); ok != want {
			t.Errorf("key %d is kept: %v, want %v", key, ok, want)
		}
	}
	if got, _ := r.Get(1); got != "y" {
		t.Errorf("key 1 = %q, want what it was set to last", got)
	}
	r.Delete(1)
	r.Delete(3)
	for _, key := range []int{1, 3} {
		if _, ok := r.Get(key); ok {
			t.Errorf("key %d is there after it was deleted", key)
		}
	}
}

func TestAddress(t *testing.T) {
	for _, row := range []struct {
		why, a, b string
		same      bool
	}{
		{"IPv4 addresses count by themselves", "192.0.2.1", "192.0.2.2", false},
		{"an IPv4 address is the same in IPv6 clothes", "192.0.2.1", "::ffff:192.0.2.1", true},
		{"all of a network of 64 bits", "2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
		{"the next network", "2001:db8::1", "2001:db8:0:1::1", false},
		{"a zone is no address", "fe80::1%eth0", "fe80::2", true},
		{"whatever is none", "unknown", "", true},
		{"what is none, and one", "unknown", "192.0.2.1", false},
	} {
		if got := Address(row.a) == Address(row.b); got != row.same {
			t.Errorf("%s: Address(%q) = %v, Address(%q) = %v", row.why, row.a, Address(row.a), row.b, Address(row.b))
		}
	}
}

func BenchmarkAllow(b *testing.B) {
	r := NewRateLimiter[int](Rate{PerSecond: 100, Burst: 200}, 8192, nil)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		r.Allow(i % 10_000)
		i++
	}
}
