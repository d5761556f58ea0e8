package authz

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// How many calls may wait: of one address, and in all.
const waitingEach, waitingInAll = 12, 30

// waitingRow is a flood of calls, twenty from each address.
type waitingRow struct {
	why       string
	ttl       time.Duration
	addresses int
	token     func(i int) string
	waiting   int // calls of 20 from each address
}

// Calls with unknown tokens that wait for a slow provider are bounded, of one address and in all, whether each has a token of
// its own or all share one. A known token of the same address finds its way beside them.
func TestUnknownTokensThatWaitAreBounded(t *testing.T) {
	for _, row := range []waitingRow{
		{"invented tokens of one address", testTTL, 1, func(i int) string { return fmt.Sprint("invented-", i) }, waitingEach},
		{"without a cache", 0, 1, func(i int) string { return fmt.Sprint("invented-", i) }, waitingEach},
		{"one invented token", testTTL, 1, func(int) string { return "invented" }, waitingEach},
		{"invented tokens of many addresses", testTTL, 5, func(i int) string { return fmt.Sprint("invented-", i) }, waitingInAll},
	} {
		synctest.Test(t, func(t *testing.T) {
			testWaiting(t, row)
		})
	}
}

// testWaiting counts the calls that wait, in a bubble, and makes sure that known tokens pass by them.
func testWaiting(t *testing.T, row waitingRow) {
	slow := false
	in := bubbleIntrospector(t, row.ttl, func(r *http.Request) (*http.Response, error) {
		if strings.HasPrefix(r.FormValue("token"), "good") {
			return respond(bubbleAnswer())
		}
		if slow {
			time.Sleep(time.Second)
		}
		return respond(`{"active":false}`)
	})
	in.unknownWaiting.perAddress, in.unknownWaiting.total = waitingEach, waitingInAll
	good := func() {
		t.Helper()
		if _, err := in.Authenticate(from(t, "192.0.2.0"), bearer("good-token")); err != nil {
			t.Errorf("%s: a known token: %v", row.why, err)
		}
	}
	good()
	time.Sleep(2 * testTTL) // known, and its answer is not kept any more
	slow = true
	var wg sync.WaitGroup
	var mu sync.Mutex
	refused, flooded := 0, 0
	ask := func(address string, token string) {
		_, err := in.Authenticate(from(t, address), bearer(token))
		mu.Lock()
		defer mu.Unlock()
		switch {
		case errors.Is(err, ErrInvalidToken):
			refused++
		case errors.Is(err, ErrRateLimited) && RetryAfter(err) > 0:
			flooded++
		default:
			t.Errorf("%s: %v", row.why, err)
		}
	}
	for address := range row.addresses {
		for i := range 20 {
			wg.Go(func() { ask(fmt.Sprint("192.0.2.", address), row.token(20*address+i)) })
		}
	}
	synctest.Wait()
	mu.Lock()
	if now := 20*row.addresses - flooded; now != row.waiting {
		t.Errorf("%s: %d calls wait, want %d", row.why, now, row.waiting)
	}
	mu.Unlock()
	good()
	wg.Wait()
	if refused != row.waiting || in.unknownWaiting.waiting != 0 || len(in.unknownWaiting.byAddress) != 0 {
		t.Errorf("%s: %d were answered, want %d; %d and %d addresses are still counted", row.why, refused, row.waiting, in.unknownWaiting.waiting, len(in.unknownWaiting.byAddress))
	}
}
