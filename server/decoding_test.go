package server

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.org/avatard/server/picture"
)

// decodingPlaces is memory for two of the largest pictures, four units each, of which one caller gets half.
func decodingPlaces() *keyedSemaphore {
	return newPictureBudgets(16, picture.DefaultUploadBytes, 4).decoding
}

// One caller's heavy pictures leave half of the memory to others, and the next caller does not wait behind them.
func TestDecodingOfOneCallerStallsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := decodingPlaces()
		heavy := takeLater(t, p, "heavy", 4, false)
		for range 3 {
			if more := takeLater(t, p, "heavy", 4, false); more.done.Load() {
				t.Fatal("one caller has more than half of the memory")
			}
		}
		if small := takeLater(t, p, "other", 1, false); !small.done.Load() {
			t.Error("a small picture of somebody else waits")
		}
		if !heavy.done.Load() {
			t.Error("the first picture waits")
		}
		time.Sleep(uploadPatience) // until the waiting ones give up
	})
}

// Of several callers who each have many pictures, all get their turns in a row, and a newcomer gets the next one.
func TestDecodingTakesTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := decodingPlaces()
		var mu sync.Mutex
		var order []string
		var running []*lease
		want := func(caller string) {
			go func() {
				pl := new(lease)
				if err := p.acquire(t.Context(), pl, semaphoreKey{caller: caller}, 4, nil); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				order, running = append(order, caller), append(running, pl)
			}()
			synctest.Wait()
		}
		for caller := range strings.SplitSeq("a a a a b b b b c c", " ") {
			want(caller)
		}
		for i := range 10 {
			if i == 1 {
				want("late")
			}
			mu.Lock()
			done := running[0]
			running = running[1:]
			mu.Unlock()
			done.release()
			synctest.Wait()
		}
		if got := strings.Join(order, " "); got != "a b c late a b c a b a b" {
			t.Errorf("order %s", got)
		}
	})
}

// A large picture waits for those before it and is not passed by small ones that come later.
func TestDecodingIsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := decodingPlaces()
		var small []*taking
		for _, caller := range []string{"a", "b", "c", "d", "e"} {
			small = append(small, takeLater(t, p, caller, 1, false))
		}
		large := takeLater(t, p, "large", 4, false)
		late := takeLater(t, p, "late", 1, false)
		if large.done.Load() || late.done.Load() {
			t.Fatal("a large picture found room that is not there, or was passed")
		}
		small[0].release()
		if synctest.Wait(); !large.done.Load() || late.done.Load() {
			t.Error("the large picture was not the next one")
		}
		small[1].release()
		if synctest.Wait(); !late.done.Load() {
			t.Error("the small one behind it waits")
		}
	})
}

// A call that waited behind a large picture whose caller left goes on.
func TestDecodingAfterSomebodyLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := decodingPlaces()
		for _, caller := range []string{"a", "b", "c", "d", "e"} {
			takeLater(t, p, caller, 1, false)
		}
		ctx, leave := context.WithCancel(t.Context())
		go func() {
			if err := p.acquire(ctx, new(lease), semaphoreKey{caller: "large"}, 4, nil); !errors.Is(err, context.Canceled) {
				t.Errorf("the large picture: %v", err)
			}
		}()
		synctest.Wait()
		late := takeLater(t, p, "late", 1, false)
		if late.done.Load() {
			t.Error("the large picture was passed")
		}
		leave()
		if synctest.Wait(); !late.done.Load() || late.err != nil {
			t.Error("the small picture waits for nobody", late.err)
		}
	})
}

// While all memory is taken an upload waits for it, but one that is refused by its header does not.
func TestUploadsWaitForMemory(t *testing.T) {
	f := start(t, nil)
	var held []*lease
	for _, caller := range []string{"x", "y"} {
		one := new(lease)
		if err := f.server.decoding.acquire(t.Context(), one, semaphoreKey{caller: caller}, f.server.config.Pictures.MaxMemory(), nil); err != nil {
			t.Fatal(err)
		}
		held = append(held, one)
	}
	upload := func(data []byte, headers ...string) int {
		body, media := formOf("file", data)
		res, _ := f.do(t, http.MethodPost, "/assets/v1/users/me/avatar", body, bearer("alice-token-1", append(headers, "Content-Type", media)...)...)
		return res.StatusCode
	}
	if got := upload(picture.Sample(1, 1000), "Grpc-Timeout", "20m"); got != http.StatusGatewayTimeout {
		t.Errorf("without memory: %d, want 504", got)
	}
	if got := upload([]byte("BM6")); got != http.StatusBadRequest {
		t.Errorf("what is no picture: %d, want 400", got)
	}
	for _, one := range held {
		one.release()
	}
	if got := upload(picture.Sample(1, 1000)); got != http.StatusOK {
		t.Errorf("with memory: %d, want 200", got)
	}
}

// A small picture counts as the share of a processor, a large one as its memory, so that neither is there without the other.
func TestDecodingShare(t *testing.T) {
	f := start(t, nil)
	most := f.server.config.Pictures.MaxMemory()
	if all := f.server.decoding.size; all != 2*most {
		t.Errorf("memory for all pictures: %d, want twice %d", all, most)
	}
	shares := []int{f.server.decodingShare(0), f.server.decodingShare(most)}
	if !slices.IsSorted(shares) || shares[0] < most/128 || shares[0] > most || shares[1] != most {
		t.Errorf("shares %v of %d", shares, most)
	}
}

// The largest size of a picture is a setting, and the answer names it.
func TestUploadLimitIsASetting(t *testing.T) {
	padded := func(size int) []byte {
		small := picture.Sample(1, 1000)
		return append(small, make([]byte, size-len(small))...) // bytes behind a PNG are dropped
	}
	for _, limit := range []int{2000, picture.DefaultUploadBytes, 3 << 20} {
		f := start(t, func(c *Config) { c.Pictures = picture.New(picture.Config{MaxUploadBytes: limit}) })
		if res, said := f.upload(t, "/assets/v1/users/me/avatar", "alice-token-1", padded(limit)); res.StatusCode != http.StatusOK {
			t.Errorf("limit %d, that many: %d %s, want 200", limit, res.StatusCode, said)
		}
		res, said := f.upload(t, "/assets/v1/users/me/avatar", "alice-token-1", padded(limit+1))
		if res.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(said, strconv.Itoa(limit)+" bytes") {
			t.Errorf("limit %d, one more: %d %s, want 413 and the limit", limit, res.StatusCode, said)
		}
		if least := 8 * limit; f.server.arriving.size < least {
			t.Errorf("limit %d: uploads on their way have %d bytes, want %d or more", limit, f.server.arriving.size, least)
		}
	}
}
