package e2e

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/internal/cli"
	"example.org/avatard/test/client"
	"example.org/avatard/test/clock"
)

// clockAtNoon returns a clock that stands at a noon.
func clockAtNoon() *clock.Clock { return clock.At(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)) }

// startServeAt is startServe with a clock.
func startServeAt(t *testing.T, now func() time.Time, env map[string]string, dir string, args ...string) (*running, string) {
	t.Helper()
	environ := []string{"AVATARD_LISTEN=127.0.0.1:0", "AVATARD_DATA=" + dir}
	for name, value := range env {
		environ = append(environ, name+"="+value)
	}
	r := startFunc(t, serveReady, func(ctx context.Context, out io.Writer) error {
		return (&cli.Program{Environ: environ, Stdout: out, Stderr: out, Now: now}).Run(ctx, append([]string{"serve"}, args...))
	})
	return r, servedURL(t, r)
}

// revocation is a server and its provider by one clock, and a token that both know to be good.
type revocation struct {
	t        *testing.T
	clock    *clock.Clock
	provider *faultyProvider
	client   *caller
	token    string
	tries    int64 // introspections that nobody's call was the reason for
}

func startRevocation(t *testing.T, args ...string) *revocation {
	t.Helper()
	v := &revocation{t: t, clock: clockAtNoon()}
	v.provider = newProvider(t, v.clock.Now)
	dir := filepath.Join(t.TempDir(), "data")
	registerWithPicture(t, dir, v.provider.Issuer, devidp.UserAlice, devidp.UserBob)
	srv, url := startServeAt(t, v.clock.Now, v.provider.Settings(), dir, append([]string{"--introspection-timeout", "30s"}, args...)...)
	srv.out.await("identity provider tried: it works") // the last thing that it asks by itself
	v.tries = v.provider.Introspections()
	v.client = newCaller(t, url)
	v.token = v.provider.mint(t, managerID)
	return v
}

// want asks in all forms and expects one code of all of them.
func (v *revocation) want(when string, code connect.Code) {
	v.t.Helper()
	for form, got := range v.client.removeInAllForms(v.t, v.token, devidp.UserBob) {
		if got.Code != code {
			v.t.Errorf("%s, %s: code %v (%s), want %v", when, form, got.Code, got.Message, code)
		}
	}
}

func (v *revocation) revoke() {
	v.t.Helper()
	if err := v.provider.Revoke(v.token); err != nil {
		v.t.Fatal(err)
	}
}

const success = connect.Code(0)

// A revoked token lives on for cache_ttl, the five seconds of the default, and not a moment longer.
func TestRevokedTokenEndsWithTheCache(t *testing.T) {
	v := startRevocation(t)
	v.want("a good token", success)
	v.revoke()
	v.want("just revoked, the answer is still believed", success)
	v.clock.Advance(5*time.Second - time.Nanosecond)
	v.want("a moment before cache_ttl", success)
	if n := v.provider.Introspections() - v.tries; n != 1 {
		t.Errorf("%d introspections so far, want 1", n)
	}
	v.clock.Advance(time.Nanosecond)
	v.want("after cache_ttl", connect.CodeUnauthenticated)
}

func TestRevokedTokenEndsAtOnceWithoutCache(t *testing.T) {
	v := startRevocation(t, "--introspection-cache-ttl", "0")
	v.want("a good token", success)
	v.revoke()
	v.want("just revoked", connect.CodeUnauthenticated)
	if n, want := v.provider.Introspections()-v.tries, int64(2*len(client.Forms())); n != want {
		t.Errorf("%d introspections, want %d: one a call", n, want)
	}
}

// Use does not lengthen what is believed: the time counts from when the provider was asked.
func TestUseDoesNotLengthenTheCache(t *testing.T) {
	v := startRevocation(t, "--introspection-cache-ttl", "10s")
	v.want("a good token", success)
	v.revoke()
	for range 9 {
		v.clock.Advance(time.Second)
		v.want("within cache_ttl", success)
	}
	v.clock.Advance(time.Second)
	v.want("after cache_ttl", connect.CodeUnauthenticated)
}

// A token ends when it says, whatever the cache remembers and whether or not the provider can be asked.
func TestExpiryEndsWithinTheCache(t *testing.T) {
	v := startRevocation(t, "--introspection-cache-ttl", "10m")
	token, err := v.provider.Mint(devidp.TokenSpec{Subject: managerID, Expires: v.clock.Now().Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	v.token = token
	v.want("a good token", success)
	v.clock.Advance(time.Minute - time.Second)
	v.want("a second before its end", success)
	v.clock.Advance(time.Second)
	v.want("at its end", connect.CodeUnauthenticated)
}

// While the provider is down nobody is told that their token is bad: clients would sign their users out.
func TestProviderDownIsNeverABadToken(t *testing.T) {
	v := startRevocation(t)
	v.want("a good token", success)
	v.provider.Misbehave("", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	v.want("down, but the answer is still believed", success)
	v.clock.Advance(5 * time.Second)
	v.want("down, with nothing to believe", connect.CodeUnavailable)
	v.revoke()
	v.want("revoked meanwhile, which nobody can know", connect.CodeUnavailable)
	v.clock.Advance(24 * time.Hour)
	v.want("expired meanwhile, which only the provider can tell", connect.CodeUnavailable)
	v.provider.Misbehave("", nil)
	v.clock.Advance(time.Second) // a token that has failed is not asked about for so long
	v.want("well again", connect.CodeUnauthenticated)

	v.token = v.provider.mint(t, managerID)
	v.want("a new token", success)
	v.provider.ClosePort()
	v.clock.Advance(5 * time.Second)
	v.want("nobody listens", connect.CodeUnavailable)
	v.token = v.provider.mint(t, managerID)
	v.want("nobody listens, and the token is unknown", connect.CodeUnavailable)
	v.provider.OpenPort(t)
	v.want("it listens again", success)
}

// A hundred calls with one token that nobody has asked about yet wait for one question. The control without a cache
// shows that they were a hundred and that questions are counted.
func TestHundredCallsAskOnce(t *testing.T) {
	const calls = 100
	for ttl, want := range map[string]int64{"5s": 1, "0": calls} {
		v := startRevocation(t, "--introspection-cache-ttl", ttl)
		v.want("so that discovery is over", success)
		before := v.provider.Introspections()
		v.token = v.provider.mint(t, managerID)

		arrived := make(chan struct{}, calls)
		release := make(chan struct{})
		v.provider.Misbehave("", func(w http.ResponseWriter, r *http.Request) {
			arrived <- struct{}{}
			<-release
			v.provider.Handler().ServeHTTP(w, r)
		})
		var sent, done sync.WaitGroup
		codes := make(chan connect.Code, calls)
		forms := client.Forms()
		for i := range calls {
			sent.Add(1)
			done.Go(func() {
				wrote := sync.OnceFunc(sent.Done)
				defer wrote() // a request that never got so far must not stop the others
				ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { wrote() }})
				got := v.client.Remove(ctx, forms[i%len(forms)], v.client.header(v.token), devidp.UserBob)
				codes <- checkAnswer(t, "one of many", got).Code
			})
		}
		sent.Wait() // every request is on its way before the first is answered
		<-arrived
		close(release)
		done.Wait()
		close(codes)
		got := map[connect.Code]int{}
		for code := range codes {
			got[code]++
		}
		if !maps.Equal(got, map[connect.Code]int{success: calls}) {
			t.Errorf("cache_ttl %s: codes %v, want success %d times", ttl, got, calls)
		}
		if n := v.provider.Introspections() - before; n != want {
			t.Errorf("cache_ttl %s: %d introspections for %d calls, want %d", ttl, n, calls, want)
		}
	}
}
