package authz

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const testTTL = 5 * time.Second

func numberedKey(n int) (k cacheKey) {
	binary.BigEndian.PutUint64(k[:], uint64(n))
	return k
}

// share is a question about a token that was active of late.
func share(ctx context.Context, c *cache[validation], key cacheKey, ask func(context.Context) (validation, error)) (validation, error) {
	return c.do(ctx, time.Now().Add(time.Minute), question[validation]{key: key, known: true, ask: ask})
}

func acceptedToken(now time.Time, life time.Duration) validation {
	return validation{identity: Identity{Subject: "alice"}, expires: now.Add(life).Unix()}
}

// Time inside a synctest bubble starts on a full second, so whole seconds can be compared exactly.
func TestCacheLifetime(t *testing.T) {
	for _, row := range []struct {
		why    string
		ttl    time.Duration
		result func(now time.Time) validation
		want   time.Duration
	}{
		{"an accepted token", testTTL, func(now time.Time) validation { return acceptedToken(now, time.Hour) }, testTTL},
		{"ends with the token", testTTL, func(now time.Time) validation { return acceptedToken(now, 2*time.Second) }, 2 * time.Second},
		{"a refused token: a second at most", testTTL, func(time.Time) validation { return refuse("inactive") }, time.Second},
		{"a refused token: half the ttl", time.Second, func(time.Time) validation { return refuse("inactive") }, time.Second / 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, key := newCache[validation](row.ttl, time.Now), numberedKey(1)
			want := row.result(time.Now())
			ask := func(context.Context) (validation, error) { return want, nil }
			if _, err := share(t.Context(), c, key, ask); err != nil {
				t.Fatal(err)
			}
			time.Sleep(row.want - 1)
			if c.get(key, time.Now()) == nil {
				t.Errorf("%s: gone after %v less a nanosecond", row.why, row.want)
			}
			time.Sleep(1)
			if c.get(key, time.Now()) != nil {
				t.Errorf("%s: still there after %v", row.why, row.want)
			}
		})
	}
}

func TestCacheLifeCountsFromTheStartOfTheLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache[validation](testTTL, time.Now)
		slowly := func(d time.Duration) func(context.Context) (validation, error) {
			return func(context.Context) (validation, error) {
				time.Sleep(d)
				return acceptedToken(time.Now(), time.Hour), nil
			}
		}
		share(t.Context(), c, numberedKey(1), slowly(3*time.Second))
		if c.get(numberedKey(1), time.Now()) == nil {
			t.Error("not kept")
		}
		time.Sleep(2 * time.Second)
		if c.get(numberedKey(1), time.Now()) != nil {
			t.Error("kept for longer than the ttl after the provider was asked")
		}
		share(t.Context(), c, numberedKey(2), slowly(testTTL))
		if c.get(numberedKey(2), time.Now()) != nil {
			t.Error("a look-up as long as the ttl was kept")
		}
	})
}

func TestCacheKeepsNoErrors(t *testing.T) {
	c, failed := newCache[validation](testTTL, time.Now), errors.New("down")
	asked := 0
	for range 3 {
		_, err := share(t.Context(), c, numberedKey(1), func(context.Context) (validation, error) { asked++; return validation{}, failed })
		if !errors.Is(err, failed) {
			t.Errorf("share = %v, want %v", err, failed)
		}
	}
	if asked != 3 || len(c.flights) != 0 || c.unfinished != 0 {
		t.Errorf("asked %d times with %d calls left, want 3 and 0", asked, len(c.flights))
	}
}

func TestCallersShareOneLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, release := newCache[validation](testTTL, time.Now), make(chan struct{})
		asked, answered := 0, 0
		ask := func(ctx context.Context) (validation, error) {
			asked++
			select {
			case <-release:
				return acceptedToken(time.Now(), time.Hour), nil
			case <-ctx.Done():
				return validation{}, ctx.Err()
			}
		}
		first, cancel := context.WithCancel(t.Context())
		var firstErr error
		go func() { _, firstErr = share(first, c, numberedKey(1), ask) }()
		synctest.Wait()
		results := make(chan error, 100)
		for range cap(results) {
			go func() {
				_, err := share(t.Context(), c, numberedKey(1), ask)
				results <- err
			}()
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		if !errors.Is(firstErr, context.Canceled) || len(results) != 0 {
			t.Fatalf("the first caller got %v, want its own cancellation; %d others went with it", firstErr, len(results))
		}
		close(release)
		for range cap(results) {
			if err := <-results; err == nil {
				answered++
			}
		}
		if asked != 1 || answered != 100 {
			t.Errorf("asked %d times for %d answers, want once for 100", asked, answered)
		}
	})
}

func TestOldLookUpIsNotJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, release := newCache[validation](testTTL, time.Now), make(chan struct{})
		old := func(context.Context) (validation, error) {
			<-release
			return acceptedToken(time.Now(), time.Hour), nil
		}
		revoked := func(context.Context) (validation, error) { return refuse("inactive"), nil }
		go share(t.Context(), c, numberedKey(1), old)
		time.Sleep(testTTL - 1)
		joined := make(chan validation, 1)
		go func() { v, _ := share(t.Context(), c, numberedKey(1), revoked); joined <- v }()
		synctest.Wait()
		if len(joined) != 0 {
			t.Fatal("a look-up younger than the ttl was not joined")
		}
		time.Sleep(1)
		if v, err := share(t.Context(), c, numberedKey(1), revoked); err != nil || v.refused == nil {
			t.Errorf("share beside a look-up as old as the ttl = %+v, %v, want a new one's refusal", v, err)
		}
		close(release)
		if v := <-joined; v.refused != nil {
			t.Error("the caller that joined got another look-up's answer")
		}
		synctest.Wait()
		if v := c.get(numberedKey(1), time.Now()); v == nil || v.refused == nil {
			t.Errorf("kept = %+v, want the newer refusal, not the old answer", v)
		}
		if c.unfinished != 0 || len(c.flights) != 0 {
			t.Errorf("%d running, %d in the map, want none", c.unfinished, len(c.flights))
		}
	})
}

func TestOldLookUpLeavesTheNewOneAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache[validation](testTTL, time.Now)
		var asked atomic.Int64
		gated := func(gate chan struct{}) func(context.Context) (validation, error) {
			return func(context.Context) (validation, error) {
				asked.Add(1)
				<-gate
				return refuse("inactive"), nil
			}
		}
		older, newer := make(chan struct{}), make(chan struct{})
		go share(t.Context(), c, numberedKey(1), gated(older))
		time.Sleep(testTTL)
		go share(t.Context(), c, numberedKey(1), gated(newer))
		synctest.Wait()
		close(older)
		synctest.Wait()
		go share(t.Context(), c, numberedKey(1), gated(newer))
		synctest.Wait()
		if n := asked.Load(); n != 2 {
			t.Errorf("asked %d times, want 2: the third caller joins the second", n)
		}
		close(newer)
	})
}

func TestNewestAnswerCounts(t *testing.T) {
	now := time.Unix(testNow, 0)
	c, key := newCache[validation](testTTL, func() time.Time { return now }), numberedKey(1)
	good, bad := acceptedToken(now, time.Hour), refuse("inactive")
	for i, v := range []validation{good, bad, bad, good, good, bad} {
		c.store(key, v, now)
		got := c.get(key, now)
		if got == nil || (got.refused == nil) != (v.refused == nil) {
			t.Errorf("answer %d: kept %+v, want %+v", i, got, v)
		}
		if n := c.accepted.order.Len() + c.refused.order.Len(); n != 1 {
			t.Errorf("answer %d: %d entries of one token", i, n)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	now := time.Unix(testNow, 0)
	c := newCache[validation](testTTL, func() time.Time { return now })
	large := acceptedToken(now, time.Hour)
	large.identity.Organization = strings.Repeat("x", 1<<20)

	c.store(numberedKey(-1), acceptedToken(now, time.Hour), now)
	for n := range 3 * maxRefused {
		c.store(numberedKey(n), refuse("inactive"), now)
	}
	if got := c.refused.order.Len(); got != maxRefused || len(c.refused.byKey) != got {
		t.Errorf("%d refused tokens kept under %d keys, want %d", got, len(c.refused.byKey), maxRefused)
	}
	if c.get(numberedKey(-1), now) == nil {
		t.Error("refused tokens pushed out an accepted one")
	}
	for n := range maxAccepted + 10 {
		c.store(numberedKey(n), acceptedToken(now, time.Hour), now)
	}
	if got := c.accepted.order.Len(); got != maxAccepted || c.get(numberedKey(9), now) != nil || c.get(numberedKey(10), now) == nil {
		t.Errorf("%d accepted tokens kept, want %d, the oldest gone first", got, maxAccepted)
	}
	for n := range 100 {
		c.store(numberedKey(n), large, now)
	}
	if c.accepted.bytes > maxAcceptedBytes || c.accepted.order.Len() == 0 {
		t.Errorf("%d bytes kept, limit %d", c.accepted.bytes, maxAcceptedBytes)
	}
	now = now.Add(testTTL)
	c.store(numberedKey(-2), acceptedToken(now, time.Hour), now)
	if got := c.accepted.order.Len(); got != 1 {
		t.Errorf("%d entries after all but one ended, want 1", got)
	}
	if c.accepted.remove(numberedKey(-2)); c.accepted.bytes != 0 || len(c.accepted.byKey) != 0 {
		t.Errorf("%d bytes and %d keys of nothing", c.accepted.bytes, len(c.accepted.byKey))
	}
}

func TestLookUpsUnderWayAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, release := newCache[validation](testTTL, time.Now), make(chan struct{})
		ask := func(context.Context) (validation, error) { <-release; return refuse("inactive"), nil }
		for n := range maxFlights {
			go share(t.Context(), c, numberedKey(n), ask)
		}
		synctest.Wait()
		if _, err := share(t.Context(), c, numberedKey(maxFlights), ask); !errors.Is(err, ErrUnavailable) {
			t.Errorf("share over the bound = %v, want ErrUnavailable", err)
		}
		close(release)
		synctest.Wait()
		if _, err := share(t.Context(), c, numberedKey(maxFlights), ask); err != nil {
			t.Errorf("share after the others ended = %v", err)
		}
	})
}
