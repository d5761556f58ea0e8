package e2e

import (
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"

	"example.org/avatard/authz/authztest"
	"example.org/avatard/authz/devidp"
	"example.org/avatard/server/picture"
	"example.org/avatard/test/client"
)

// outage is a way in which a provider is of no use.
type outage struct {
	title string
	// mood is how it answers, nil = it does not listen.
	mood http.HandlerFunc
	// timeout is the setting introspection.timeout. It is long but where it is the point.
	timeout string
}

func outages(p *faultyProvider) []outage {
	say := func(status int, mediaType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			spilt := spill(r)
			w.Header().Set("Content-Type", mediaType)
			w.Header().Set("Retry-After", "3600")
			w.Header().Set("X-Echo", strings.Map(printable, spilt))
			w.WriteHeader(status)
			io.WriteString(w, strings.ReplaceAll(body, "SPILT", spilt))
		}
	}
	return []outage{
		{"closed port", nil, "30s"},
		{"slow", func(_ http.ResponseWriter, r *http.Request) { spill(r); <-r.Context().Done() }, "1s"},
		{"headers, then silence", func(w http.ResponseWriter, r *http.Request) {
			spill(r)
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, "1s"},
		{"cut connection", authztest.Reset, "30s"},
		{"500", say(500, "text/plain", "SPILT"), "30s"},
		{"500 with a good body", say(500, "application/json", `{"active":true,"sub":"SPILT"}`), "30s"},
		{"401 that blames the token", say(401, "application/json", `{"error":"invalid_token","error_description":"SPILT"}`), "30s"},
		{"429", say(429, "text/plain", "SPILT"), "30s"},
		{"HTML", say(200, "text/html", "<html><title>Sign in</title>SPILT</html>"), "30s"},
		{"null", say(200, "application/json", "null"), "30s"},
		{"array", say(200, "application/json", "[]"), "30s"},
		{"empty object", say(200, "application/json", "{}"), "30s"},
		{"active is a text", say(200, "application/json", `{"active":"yes"}`), "30s"},
		{"cut off", say(200, "application/json", `{"active":true,"sub":"`), "30s"},
		{"64 MB", p.Flood, "30s"},
		{"302", p.Redirect(302), "30s"},
		{"307", p.Redirect(307), "30s"},
		{"308", p.Redirect(308), "30s"},
		{"wrong client secret", func(w http.ResponseWriter, r *http.Request) {
			r.SetBasicAuth(p.Client.ID, p.Client.Secret+"x")
			if !strings.HasSuffix(r.URL.Path, "/introspect") { // discovery takes no secret, so it would be well
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			p.Handler().ServeHTTP(w, r)
		}, "30s"},
	}
}

func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return -1
	}
	return r
}

// The server starts while its provider is out of order, and a provider that answered before may fail at any time.
// Neither lets anybody in, calls a token bad or removes a thing; and both are over as soon as the provider is well.
func TestProviderOutOfOrder(t *testing.T) {
	titles := outages(&faultyProvider{Provider: &authztest.Provider{Server: new(authztest.Server), Seeded: &devidp.Seeded{}}})
	for i := range titles {
		t.Run(titles[i].title, func(t *testing.T) {
			p := newProvider(t, nil)
			testOutage(t, p, outages(p)[i])
		})
	}
}

func testOutage(t *testing.T, p *faultyProvider, o outage) {
	fail := func() {
		if p.Misbehave("", o.mood); o.mood == nil {
			p.ClosePort()
		}
	}
	recovered := func() {
		if p.Misbehave("", nil); o.mood == nil {
			p.OpenPort(t)
		}
	}
	fail()
	dir := filepath.Join(t.TempDir(), "data")
	stored := registerWithPicture(t, dir, p.Issuer, devidp.UserAlice, devidp.UserBob)
	srv, url := startServe(t, p.Settings(), dir,
		"--introspection-timeout", o.timeout, "--introspection-cache-ttl", "0", "--log-level", "debug")
	caller := newCaller(t, url)
	manager, alice := p.mint(t, managerID), p.mint(t, devidp.UserAlice)
	portrait := url + "/assets/v1/" + devidp.OrgAcme + "/users/" + devidp.UserAlice + "/avatar"
	mine := url + "/assets/v1/users/me/avatar"

	// At first nothing is known of the provider, later where it introspects.
	for _, phase := range []string{"at start", "later"} {
		wantStatus(t, 200, "GET", url+"/healthz", "")
		wantStatus(t, 200, "GET", url+"/readyz", "")
		wantAllUnavailable(t, phase, caller, p, manager, alice)
		wantStatus(t, 401, "GET", mine, "") // that there is no token shows without the provider
		if status, body := call(t, "GET", portrait, ""); status != 200 || body != string(stored) {
			t.Errorf("%s: the picture is not what it was: %d", phase, status)
		}
		recovered()
		manager = p.mint(t, managerID) // another token: one that has failed is not asked about for a second
		for form, got := range caller.removeInAllForms(t, manager, devidp.UserBob) {
			if got.Code != 0 || got.Details.GetResourceOwner() != devidp.OrgAcme {
				t.Errorf("%s, %s: after recovery code %v: %s", phase, form, got.Code, got.Message)
			}
		}
		fail()
	}
	recovered()
	if got := caller.remove(t, client.REST, p.mint(t, managerID), devidp.UserAlice); got.Code != 0 {
		t.Errorf("deleting in the end: %v: %s", got.Code, got.Message)
	}
	wantStatus(t, 404, "GET", portrait, "") // so it was the outage that had kept it
	caller.Close()
	srv.stop()
	for what, secret := range map[string]string{"token": manager, "own token": alice, "client secret": p.Client.Secret} {
		if strings.Contains(srv.out.String(), secret) {
			t.Errorf("the %s is in the log:\n%s", what, srv.out)
		}
	}
}

// wantUnavailable checks an answer that says: not now, come back, and nothing else.
func wantUnavailable(t *testing.T, where string, got answer, p *faultyProvider, token string) {
	t.Helper()
	if got.Code != connect.CodeUnavailable {
		t.Errorf("%s: code %v (%s), want %v", where, got.Code, got.Message, connect.CodeUnavailable)
	}
	wantStatus := http.StatusServiceUnavailable
	if strings.HasPrefix(got.Header.Get("Content-Type"), "application/grpc") {
		wantStatus = http.StatusOK // the protocol's own status tells
	}
	if got.Status != wantStatus {
		t.Errorf("%s: HTTP status %d, want %d", where, got.Status, wantStatus)
	}
	if seconds, err := strconv.Atoi(got.Header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 60 {
		t.Errorf("%s: Retry-After is %q, want a few seconds", where, got.Header.Get("Retry-After"))
	}
	if challenge := got.Header.Get("WWW-Authenticate"); challenge != "" {
		t.Errorf("%s: the answer challenges the caller: %s", where, challenge)
	}
	for _, secret := range []string{token, p.Client.Secret, strings.TrimPrefix(p.URL(), "http://")} {
		if strings.Contains(got.Raw, secret) {
			t.Errorf("%s: %q is in the answer:\n%s", where, secret, got.Raw)
		}
	}
}

// wantAllUnavailable demands that every call which asks the provider is told to come back, deletes in all forms.
func wantAllUnavailable(t *testing.T, phase string, caller *caller, p *faultyProvider, manager, alice string) {
	t.Helper()
	mine := caller.URL + "/assets/v1/users/me/avatar"
	var routes sync.WaitGroup // all at once, for some outages take their time
	routes.Go(func() {
		wantUnavailable(t, phase+", upload", caller.upload(t, mine, alice, picture.Sample(2, 3000)), p, alice)
	})
	routes.Go(func() {
		wantUnavailable(t, phase+", read", caller.do(t, http.MethodGet, mine, alice, "", nil), p, alice)
	})
	routes.Go(func() {
		own := caller.URL + "/auth/v1/users/me/avatar"
		wantUnavailable(t, phase+", own delete", caller.do(t, http.MethodDelete, own, alice, "", nil), p, alice)
	})
	for form, got := range caller.removeInAllForms(t, manager, devidp.UserAlice) {
		wantUnavailable(t, phase+", "+string(form), got, p, manager)
	}
	routes.Wait()
}
