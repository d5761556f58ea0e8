package server

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.org/avatard/server/picture"
)

func TestSemaphore(t *testing.T) {
	for all, each := range map[int]int{1: 1, 3: 1, 8: 2, 16: 4} {
		p := newSemaphore(all, time.Minute)
		var held []*lease
		for caller := range all / each {
			name := strconv.Itoa(caller)
			for range each {
				one := new(lease)
				if err := p.acquire(t.Context(), one, semaphoreKey{caller: name}, 1, nil); err != nil {
					t.Fatalf("%d places, caller %s has fewer than %d: %v", all, name, each, err)
				}
				held = append(held, one)
			}
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for _, caller := range []string{"0", "late"} {
			if err := p.acquire(ended, new(lease), semaphoreKey{caller: caller}, 1, nil); !errors.Is(err, context.Canceled) {
				t.Errorf("%d places, all taken, caller %s: %v, want to wait for the end of the call", all, caller, err)
			}
		}
		for _, one := range held {
			one.release()
			one.release() // once too often
		}
		if st := p.stats(); len(p.usage) != 0 || st.Used != 0 || st.Waiting != 0 {
			t.Errorf("%d places: %v and %+v are left", all, p.usage, st)
		}
	}
}

// taking is a call that acquires a lease in a goroutine of its own.
type taking struct {
	lease
	err  error
	took time.Duration
	cut  int
	done atomic.Bool
}

func (c *taking) evict() { c.cut++ }

func takeLater(t *testing.T, p *keyedSemaphore, caller string, size int, canBeCut bool) *taking {
	c := new(taking)
	var holder evictable
	if canBeCut {
		holder = c
	}
	go func() {
		began := time.Now()
		c.err = p.acquire(t.Context(), &c.lease, semaphoreKey{caller: caller}, size, holder)
		c.took = time.Since(began)
		c.done.Store(true)
	}()
	synctest.Wait()
	return c
}

// A caller who has all of theirs waits for one of them, while others find room.
func TestLeasesOfThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newSemaphore(8, time.Minute)
		first, second := takeLater(t, p, "slow", 1, false), takeLater(t, p, "slow", 1, false)
		third := takeLater(t, p, "slow", 1, false)
		if !first.done.Load() || !second.done.Load() || third.done.Load() {
			t.Fatal("a caller with a share of two does not have two places")
		}
		if other := takeLater(t, p, "other", 1, false); !other.done.Load() || other.err != nil {
			t.Fatal("another caller has to wait", other.err)
		}
		first.release()
		if synctest.Wait(); !third.done.Load() || third.err != nil {
			t.Error("the third has no place although the first gave it back", third.err)
		}
	})
}

// Waiting ends: with errCrowded, which is 503 and Retry-After.
func TestSemaphoreTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newSemaphore(4, time.Second)
		takeLater(t, p, "a", 1, false)
		late := takeLater(t, p, "a", 1, false)
		time.Sleep(time.Second)
		if synctest.Wait(); !late.done.Load() || late.err != errCrowded || late.took != time.Second { //nolint:errorlint // the value itself
			t.Errorf("take = %v after %v, want errCrowded after 1s", late.err, late.took)
		}
		for range maxWaitingEach {
			takeLater(t, p, "a", 1, false)
		}
		if more := takeLater(t, p, "a", 1, false); !more.done.Load() || more.err != errCrowded || more.took != 0 { //nolint:errorlint // the value itself
			t.Errorf("behind %d that wait: %v after %v, want errCrowded at once", maxWaitingEach, more.err, more.took)
		}
		if st := p.stats(); st.Refused != 2 || st.Waiting != maxWaitingEach {
			t.Errorf("stats = %+v", st)
		}
		time.Sleep(time.Second)
	})
}

// Of the waiting calls that of the owner with the least comes first: a crowd of one owner's costs others one turn.
func TestLeasesAreSharedFairly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newSemaphore(8, time.Minute)
		var held []*taking
		for range 2 {
			for _, name := range []string{"a", "b", "c", "d"} {
				held = append(held, takeLater(t, p, name, 1, false))
			}
		}
		crowd := takeLater(t, p, "a", 1, false)
		single := takeLater(t, p, "x", 1, false)
		held[0].release() // one of a's
		if synctest.Wait(); crowd.done.Load() || !single.done.Load() {
			t.Error("the place went to an owner with one and not to one with none")
		}
	})
}

// A call that finds nothing free evicts slow holders, the slowest first, then the oldest of the owner that has most. It does not wait for that.
func TestLeasesOfSlowOwnersGoToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newSemaphore(16, time.Second)
		var slow []*taking
		for _, name := range []string{"a", "b", "c", "d"} {
			slow = append(slow, takeLater(t, p, name, 4, true))
		}
		fair := takeLater(t, p, "x", 2, true)
		if fair.err != nil || fair.took != 0 || slow[0].cut+slow[1].cut+slow[2].cut+slow[3].cut != 1 || slow[0].cut != 1 {
			t.Fatalf("with nobody slow: %v after %v; want the oldest of those with the largest share to lose it", fair.err, fair.took)
		}
		time.Sleep(slowAfter)
		slow[1].progress(slowBytes)
		slow[2].progress(slowBytes - 1)
		fair.progress(slowBytes)
		next := takeLater(t, p, "y", 4, true)
		if next.err != nil || next.took != 0 || slow[2].cut != 1 || slow[1].cut+slow[3].cut+fair.cut != 0 {
			t.Errorf("once some are slow: %v after %v, cut %d %d %d, want the one without progress for longest to be cut", next.err, next.took,
				slow[1].cut, slow[2].cut, slow[3].cut)
		}
		if !slow[1].pin() || slow[2].pin() {
			t.Error("keep does not tell who still has a place")
		}
		time.Sleep(slowAfter)
		for range 3 {
			if more := takeLater(t, p, "z", 1, true); more.err != nil {
				t.Error(more.err)
			}
		}
		if slow[1].cut != 0 {
			t.Error("a place that is kept was taken away")
		}
		if st := p.stats(); st.Used > st.Size {
			t.Errorf("stats = %+v", st)
		}
	})
}

// An owner's own slow calls make room for its next ones, nobody else's do.
func TestLeasesOfOneSlowOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newSemaphore(16, 2*time.Second)
		other := takeLater(t, p, "other", 4, true)
		slow := takeLater(t, p, "a", 4, true)
		next := takeLater(t, p, "a", 4, true)
		if next.done.Load() {
			t.Fatal("an owner has more than a share")
		}
		time.Sleep(2 * time.Second)
		if synctest.Wait(); next.err != nil || next.took != 2*time.Second || slow.cut != 1 || other.cut != 0 {
			t.Errorf("%v after %v, cut %d, somebody else's %d; want its own slow one cut", next.err, next.took, slow.cut, other.cut)
		}
	})
}

// With random calls in random order no more units are taken than there are, no owner has more than a share, and none is left in the end.
func TestLeasesHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		p := newSemaphore(64, time.Second)
		var all []*taking
		for range 3000 {
			switch random.IntN(4) {
			case 0, 1:
				all = append(all, takeLater(t, p, strconv.Itoa(random.IntN(7)), 1+random.IntN(12), random.IntN(3) > 0))
			case 2:
				time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
				synctest.Wait()
			default:
				if len(all) > 0 {
					if one := all[random.IntN(len(all))]; one.done.Load() && one.err == nil {
						one.progress(random.IntN(2 * slowBytes))
						if random.IntN(2) == 0 {
							one.release()
						}
					}
				}
			}
			p.mu.Lock()
			used, listed := 0, 0
			for of, own := range p.usage {
				if used += own.used; own.used > p.each || own == (keyUsage{}) {
					t.Fatalf("owner %v: %+v, share %d", of, own, p.each)
				}
			}
			for pl := p.oldest; pl != nil; pl = pl.younger {
				if listed++; pl.younger != nil && pl.younger.at.Before(pl.at) || !pl.held {
					t.Fatal("those that may be taken away are out of order")
				}
			}
			if used != p.used || used > p.size {
				t.Fatalf("%d used, %d counted, of %d", used, p.used, p.size)
			}
			p.mu.Unlock()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, one := range all {
			if !one.done.Load() || one.cut > 1 || one.err == nil && one.cut == 1 && one.held {
				t.Fatalf("%+v", one)
			}
			if one.err == nil {
				one.release()
			}
		}
		if st := p.stats(); len(p.usage) != 0 || st.Used != 0 || st.Waiting != 0 || p.oldest != nil || p.newest != nil {
			t.Errorf("%v and %+v are left", p.usage, st)
		}
	})
}

func TestUploadsWaitForTheirTurn(t *testing.T) {
	f := start(t, func(c *Config) { c.MaxUploads = 1 })
	var turn lease
	if err := f.server.uploads.acquire(t.Context(), &turn, semaphoreKey{caller: "somebody else"}, 1, nil); err != nil {
		t.Fatal(err)
	}
	body, media := formOf("file", picture.Sample(1, 1000))
	res, said := f.do(t, http.MethodPost, "/assets/v1/users/me/avatar", body, bearer("alice-token-1", "Content-Type", media, "Grpc-Timeout", "20m")...)
	if res.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("while all are taken: %d %s, want 504", res.StatusCode, said)
	}
	turn.release()
	if res, said := f.upload(t, "/assets/v1/users/me/avatar", "alice-token-1", picture.Sample(1, 1000)); res.StatusCode != http.StatusOK {
		t.Errorf("when it is its turn: %d %s, want 200", res.StatusCode, said)
	}
}

// Readers who take nothing hold a bounded number of pictures in memory, and none but their own.
func TestReadsWaitForALease(t *testing.T) {
	f := start(t, nil)
	path := "/assets/v1/" + acme + "/users/" + alice + "/avatar"
	if res, said := f.upload(t, "/assets/v1/users/me/avatar", "alice-token-1", picture.Sample(1, 1000)); res.StatusCode != http.StatusOK {
		t.Fatal(res.StatusCode, said)
	}
	read := func(address string) int {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		req.RemoteAddr = address
		req.Header.Set("Grpc-Timeout", "20m")
		rec := httptest.NewRecorder()
		f.server.Handler().ServeHTTP(rec, req)
		return rec.Code
	}
	var held []*lease
	for range readTurns / 4 {
		one := new(lease)
		if err := f.server.strangers.turns.acquire(t.Context(), one, semaphoreKey{address: netip.MustParseAddr("2001:db8::")}, 1, nil); err != nil {
			t.Fatal(err)
		}
		held = append(held, one)
	}
	if got := read("[2001:db8::7]:1"); got != http.StatusGatewayTimeout {
		t.Errorf("a reader of a network that has all its places: %d, want 504", got)
	}
	if got := read("192.0.2.1:1"); got != http.StatusOK {
		t.Errorf("somebody else: %d, want 200", got)
	}
	for _, one := range held {
		one.release()
	}
	if got := read("[2001:db8::7]:1"); got != http.StatusOK {
		t.Errorf("with a place: %d, want 200", got)
	}
}
