package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	"example.org/avatard/authz/devidp"
)

// The limits of the configuration hold in every form, for the addresses that a trusted proxy names.
func TestConfiguredLimits(t *testing.T) {
	p := newProvider(t, nil)
	dir := filepath.Join(t.TempDir(), "data")
	registerWithPicture(t, dir, p.Issuer, devidp.UserAlice, devidp.UserBob)
	stands := time.Now()
	now := func() time.Time { return stands }
	flags := []string{"--trusted-proxies", "127.0.0.1", "--rate-limit-caller", "0.01", "--rate-limit-caller-burst", "5",
		"--rate-limit-address", "0.1", "--rate-limit-address-burst", "2"}
	srv, url := startServeAt(t, now, p.Settings(), dir, flags...)
	caller := newCaller(t, url)
	for form, got := range caller.removeInAllForms(t, p.mint(t, managerID), devidp.UserBob) { // two of them get in
		if got.Code != 0 && (got.Code != connect.CodeResourceExhausted || got.Header.Get("Retry-After") != "10") {
			t.Errorf("%s: %v, Retry-After %q, want success or resource_exhausted and 10 seconds", form, got.Code, got.Header.Get("Retry-After"))
		}
	}
	mine := url + "/auth/v1/users/me/avatar"
	token := p.mint(t, devidp.UserAlice)
	for i := range 7 {
		want := 200
		if i >= 5 {
			want = 429
		}
		wantStatus(t, want, http.MethodDelete, mine, token, "X-Forwarded-For", fmt.Sprint("192.0.2.", i))
	}
	wantStatus(t, 401, http.MethodDelete, mine, "", "Forwarded", "for=192.0.2.5") // its second call
	wantStatus(t, 429, http.MethodDelete, mine, "", "Forwarded", "for=192.0.2.5")
	wantStatus(t, 429, http.MethodDelete, mine, token, "X-Forwarded-For", "192.0.2.99, 192.0.2.5") // a caller who invents addresses is limited by their real one
	wantStatus(t, 200, http.MethodGet, url+"/readyz", "", "X-Forwarded-For", "192.0.2.5")
	caller.Close()
	srv.stop()
}

// A flood of invented tokens over real connections, as far as it can be told without time: the clock of the server only
// goes on as calls are made. The program in test/bench/flood does the same with real time.
func TestFloodOfInventedTokens(t *testing.T) {
	const calls, perSecond, callers = 4000, 2000, 32
	p := newProvider(t, nil)
	var nanos atomic.Int64
	start := time.Now()
	now := func() time.Time { return start.Add(time.Duration(nanos.Load())) }
	var most, asked atomic.Int64
	dir := filepath.Join(t.TempDir(), "data")
	registerWithPicture(t, dir, p.Issuer, devidp.UserAlice, devidp.UserBob)
	srv, url := startServeAt(t, now, p.Settings(), dir)
	known := p.mint(t, managerID)
	transport := &http.Transport{MaxIdleConnsPerHost: callers}
	remove := func(token string) int { return removeBobBy(t, transport, url, token) }
	if got := remove(known); got != http.StatusOK {
		t.Fatalf("the known token: %d", got)
	}
	p.Misbehave("", countIntrospections(p, &asked, &most))
	var next, refused, limited atomic.Int64
	var flood sync.WaitGroup
	for range callers {
		flood.Go(func() {
			for n := next.Add(1); n <= calls; n = next.Add(1) {
				nanos.Add(int64(time.Second) / perSecond)
				switch got := remove(fmt.Sprint("invented-", n)); got {
				case http.StatusUnauthorized:
					refused.Add(1)
				case http.StatusServiceUnavailable:
					limited.Add(1)
				default:
					t.Errorf("an invented token: %d", got)
				}
				if n%20 == 0 {
					if got := remove(known); got != http.StatusOK {
						t.Errorf("the known token during the flood: %d", got)
					}
				}
			}
		})
	}
	flood.Wait()
	transport.CloseIdleConnections()
	srv.stop()
	const allowed = 200 + calls/perSecond*100
	if n := refused.Load(); n > allowed || n < allowed*9/10 || n+limited.Load() != calls {
		t.Errorf("%d invented tokens were looked up and %d were not, want about %d looked up", n, limited.Load(), allowed)
	}
	if n := asked.Load() - refused.Load(); n > 1 { // the cache keeps an answer for five seconds, and two have passed
		t.Errorf("the known token was introspected %d times", n)
	}
	if n := most.Load(); n > 64 {
		t.Errorf("the provider was asked %d things at once", n)
	}
	if warnings := strings.Count(srv.out.String(), "level=WARN"); warnings > 10 {
		t.Errorf("the flood left %d warnings in the log, beside a line for each call", warnings)
	}
}

// removeBobBy deletes the picture of bob and returns the status of the answer, 0 when there is none.
func removeBobBy(t *testing.T, transport http.RoundTripper, url, token string) int {
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodDelete, url+"/management/v1/users/"+devidp.UserBob+"/avatar", nil)
	if err != nil {
		t.Error(err)
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer res.Body.Close()
	io.Copy(io.Discard, res.Body)
	if res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	return res.StatusCode
}

// countIntrospections returns a fault that is none: the provider is asked, and how often and how much at once is counted.
func countIntrospections(p *faultyProvider, asked, most *atomic.Int64) http.HandlerFunc {
	var running atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/introspect") {
			asked.Add(1)
			for now, seen := running.Add(1), most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
			}
			defer running.Add(-1)
		}
		p.Handler().ServeHTTP(w, r)
	}
}
