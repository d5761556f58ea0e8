package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.org/avatard/authz"
	"example.org/avatard/authz/limit"
	"example.org/avatard/server/webhook"
	"example.org/avatard/storage"
	"example.org/avatard/storage/faulty"
)

// A path of a hook that there is not is like any other path, and no page may call one that there is.
func TestHookRoutes(t *testing.T) {
	closed := start(t, nil)
	f := startHooks(t, "memory", func(c *Config) { c.AllowedOrigin = func(string) bool { return true } })
	unknown := func(f *fixture, path string) string {
		res, body := f.do(t, http.MethodPost, path, strings.NewReader("{}"))
		return res.Status + body
	}
	want := unknown(closed, "/nothing/here")
	for _, path := range []string{"/hooks/events", "/hooks/", "/hooks/other"} {
		if got := unknown(closed, path); got != want {
			t.Errorf("without hooks %s answers %s, want %s", path, got, want)
		}
	}
	for _, path := range []string{"/hooks/", "/hooks/other", "/hooks/events/", "/hooks/Events", "/hooks/%65vents"} {
		if got := unknown(f.fixture, path); got != want {
			t.Errorf("%s answers %s, want %s", path, got, want)
		}
	}
	if res, _ := f.do(t, http.MethodGet, "/hooks/events", nil); res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %d, Allow %q", res.StatusCode, res.Header.Get("Allow"))
	}
	for _, method := range []string{http.MethodOptions, http.MethodPost} {
		res, _ := f.do(t, method, "/hooks/events", nil, "Origin", "https://app.example", "Access-Control-Request-Method", "POST")
		for name := range res.Header {
			if strings.HasPrefix(name, "Access-Control") || res.StatusCode < 400 {
				t.Errorf("%s of a page: %d, with %s", method, res.StatusCode, name)
			}
		}
	}
}

// New refuses hooks that nobody could use, or that everybody could.
func TestHookFaults(t *testing.T) {
	cfg := start(t, nil).server.config
	secrets, orgs := func() []webhook.Secret { return nil }, []string{acme}
	for _, row := range []struct {
		hooks []Hook
		says  string
	}{
		{[]Hook{{Name: "a/b", Secrets: secrets, Organizations: orgs}}, "is no name of a hook"},
		{[]Hook{{Name: "a", Secrets: secrets}}, "needs Secrets and Organizations"},
		{[]Hook{{Name: "a", Organizations: orgs}}, "needs Secrets and Organizations"},
		{[]Hook{{Name: "a", Secrets: secrets, Organizations: orgs}, {Name: "a", Secrets: secrets, Organizations: orgs}}, "is there twice"},
	} {
		cfg.Hooks = row.hooks
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("New(%+v) = %v, want %q", row.hooks, err, row.says)
		}
	}
}

// Messages that hold a hook keep other callers neither from the API nor from health, and reports name the hook.
func TestHookBounds(t *testing.T) {
	o := make(reports, 8)
	f := startHooks(t, "memory", func(c *Config) { c.Observer = o })
	f.want(t, "an event", f.standard("msg_1", f.removed(bob, acme), hookKey), http.StatusOK, "erased")
	if r := <-o; r.Procedure != "POST /hooks/events" || r.Form != "rest" || r.Code != "ok" {
		t.Errorf("report %+v", r)
	}
	own := f.server.calls.requests() + f.server.openCalls.requests()
	for n := range hookShare {
		slow, _ := io.Pipe()
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks/events", slow)
		req.RemoteAddr, req.ContentLength = "127.0.0.1:1", 100
		c := &call{network: limit.Address("127.0.0.1")}
		if _, _, ok := f.server.enterCall(c, f.server.findEndpoint(req), req); !ok {
			t.Fatalf("message %d of %d is not let in", n+1, hookShare)
		}
	}
	f.want(t, "one message more", f.standard("msg_2", f.removed(alice, acme), hookKey), http.StatusServiceUnavailable, "too many calls at once")
	if got := f.server.calls.requests() + f.server.openCalls.requests(); got != own {
		t.Errorf("%d places of other calls are taken", got-own)
	}
	if res, _ := f.do(t, http.MethodGet, "/assets/v1/"+acme+"/users/"+alice+"/avatar", nil); res.StatusCode != http.StatusOK {
		t.Errorf("a read meanwhile: %d", res.StatusCode)
	}
}

// A user ends although the sender has left.
func TestHookOfASenderWhoLeaves(t *testing.T) {
	f := startHooks(t, "memory", nil)
	m := f.standard("msg_1", f.removed(alice, acme), hookKey)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/hooks/events", strings.NewReader(m.body))
	for i := 0; i < len(m.headers); i += 2 {
		req.Header.Set(m.headers[i], m.headers[i+1])
	}
	f.server.Handler().ServeHTTP(httptest.NewRecorder(), req)
	if _, err := f.store.Stat(t.Context(), f.key(alice), acme); !errors.Is(err, storage.ErrUserNotFound) {
		t.Errorf("behind a sender who has left Stat = %v, want %v", err, storage.ErrUserNotFound)
	}
}

// A sender who has no patience for the end of an organisation is not waited for; one who has is asked to come again when it takes too long,
// and goes on then. Meanwhile the event is not dealt with twice.
func TestHookPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &hookFixture{audited: new(auditedStore), fixture: &fixture{}}
		f.store, f.now = f.inMemory(t), time.Now()
		slow := faulty.New(f.store)
		secrets, err := webhook.ParseSecrets(webhook.Zitadel, zitadelKey)
		if err != nil {
			t.Fatal(err)
		}
		f.server, err = New(Config{Store: slow, Issuer: issuer, Authenticator: tokens(nil), Permissions: authz.NewClaims(authz.DefaultPolicy()), Now: f.clock,
			Hooks: []Hook{{Name: "zitadel", Scheme: webhook.Zitadel, Secrets: func() []webhook.Secret { return secrets }, Organizations: []string{acme}}}})
		if err != nil {
			t.Fatal(err)
		}
		body := f.removedAtZitadel("", acme)
		send := func(ctx context.Context) (int, string) {
			m := f.zitadel(body)
			req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/hooks/zitadel", strings.NewReader(m.body))
			req.Header.Set(m.headers[0], m.headers[1])
			w := httptest.NewRecorder()
			f.server.Handler().ServeHTTP(w, req)
			return w.Code, w.Body.String()
		}
		erasing := make(chan struct{}, 4)
		slow.Set(faulty.Fault{Kind: faulty.Slow, Methods: []faulty.Method{faulty.EraseUser}, Times: 2, Wait: func(context.Context) {
			erasing <- struct{}{}
			time.Sleep(maxErasing + time.Second)
		}})
		ctx, leave := context.WithCancel(t.Context())
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			if code, body := send(ctx); code != http.StatusServiceUnavailable || !strings.Contains(body, "some of its users are left") {
				t.Errorf("an end that takes too long: %d %s", code, body)
			}
		}()
		<-erasing
		leave()
		if code, body := send(t.Context()); code != http.StatusServiceUnavailable || !strings.Contains(body, "is being dealt with") {
			t.Errorf("the event meanwhile: %d %s", code, body)
		}
		<-answered
		if page, err := f.store.ListUsers(t.Context(), storage.UserQuery{Organization: acme}); err != nil || len(page.Users) != 0 {
			t.Errorf("behind a sender who has left there are %+v, %v", page.Users, err)
		}
		if code, body := send(t.Context()); code != http.StatusOK || !strings.Contains(body, "erased") {
			t.Errorf("the event again: %d %s", code, body)
		}
		if state, err := f.store.OrganizationState(t.Context(), acme); state != storage.Ended || err != nil {
			t.Errorf("the organisation is %v, %v", state, err)
		}
	})
}

// An event happened in its second, and before its message.
func TestHookTimes(t *testing.T) {
	second := time.Unix(1_000_000, 0)
	for _, row := range []struct{ event, signed, want time.Time }{
		{second.Add(5), second.Add(time.Hour), second.Add(5)},
		{second, second.Add(time.Hour), second.Add(time.Second - 1)},
		{second, second, second.Add(time.Second - 1)},
		{second.Add(time.Hour), second, second.Add(time.Second)},
	} {
		if got := happened(webhook.Event{Time: row.event}, webhook.Signature{Time: row.signed}); !got.Equal(row.want) {
			t.Errorf("an event of %v, signed at %v, happened at %v, want %v", row.event, row.signed, got, row.want)
		}
	}
}

// A day's ids are remembered, so many of them at most, and those that came again last go last.
func TestHookMemory(t *testing.T) {
	m, now := newHookMemory(), time.Unix(1_000_000, 0)
	want := func(what, id string, signed time.Time, want hookMessage) {
		t.Helper()
		if got := m.begin(id, signed, now); got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	want("the first message", "a", now, hookNew)
	want("one meanwhile", "a", now.Add(time.Second), hookBusy)
	m.end("a", now, now, false)
	want("one behind a failure", "a", now, hookNew)
	m.end("a", now, now, true)
	want("the same", "a", now, hookReplay)
	want("an older one", "a", now.Add(-time.Second), hookReplay)
	now = now.Add(hookMemoryTime)
	want("a retry", "a", now, hookRepeated)
	now = now.Add(hookMemoryTime)
	want("the retry again, a day later", "a", now.Add(-hookMemoryTime), hookReplay)
	now = now.Add(1)
	want("another day later", "a", now, hookNew)
	m.end("a", now, now, true)
	for n := range maxHookEvents {
		id := fmt.Sprint(n)
		if n == 1 {
			want("a retry", "a", now.Add(time.Second), hookRepeated)
		}
		m.begin(id, now, now)
		m.end(id, now, now, true)
	}
	if len(m.done) != maxHookEvents || m.order.Len() != maxHookEvents || len(m.busy) != 0 {
		t.Errorf("%d and %d are remembered, %d are busy", len(m.done), m.order.Len(), len(m.busy))
	}
	want("the one that came again", "a", now, hookReplay)
	want("the oldest", "0", now, hookNew)
}
