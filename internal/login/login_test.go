package login

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.org/avatard/internal/client"
)

// provider is an identity provider with the endpoints that a login needs, written after the standards.
type provider struct {
	*httptest.Server
	namesItself bool
	form        atomic.Pointer[url.Values] // of the last request to the token endpoint
	revoked     atomic.Pointer[[]string]
	answer      func(form url.Values) (status int, body string)
}

func startProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
			"revocation_endpoint": p.URL + "/revoke", "scopes_supported": []string{"openid", "offline_access"},
			"authorization_response_iss_parameter_supported": p.namesItself})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		p.form.Store(&r.PostForm)
		status, body := p.answer(r.PostForm)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
	mux.HandleFunc("POST /revoke", func(_ http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		for {
			old := p.revoked.Load()
			var all []string
			if old != nil {
				all = append(all, *old...)
			}
			all = append(all, r.PostForm.Get("token_type_hint")+" "+r.PostForm.Get("token")+" "+r.PostForm.Get("client_id"))
			if p.revoked.CompareAndSwap(old, &all) {
				return
			}
		}
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) discovered(t *testing.T) Provider {
	t.Helper()
	found, err := Discover(t.Context(), client.NewHTTPClient(), Provider{Issuer: p.URL, ClientID: "app", Scopes: []string{"openid"}})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// signIn logs in as a browser would that comes back with an answer made of the address that it was sent to.
func signIn(t *testing.T, p Provider, answers ...func(asked url.Values) string) (tokens Tokens, pages []string, err error) {
	t.Helper()
	tokens, err = Run(t.Context(), Request{Provider: p, HTTP: client.NewHTTPClient(), Show: func(address string) error {
		u, err := url.Parse(address)
		if err != nil {
			return err
		}
		asked := u.Query()
		for _, answer := range answers {
			res, err := http.Get(asked.Get("redirect_uri") + "?" + answer(asked))
			if err != nil {
				return err
			}
			text, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			pages = append(pages, fmt.Sprint(res.StatusCode, " ", string(text)))
		}
		return nil
	}})
	return tokens, pages, err
}

func right(asked url.Values) string { return "code=c1&state=" + asked.Get("state") }

func TestSignIn(t *testing.T) {
	p := startProvider(t)
	p.answer = func(url.Values) (int, string) {
		return 200, `{"access_token":"at1","token_type":"bearer","refresh_token":"rt1","expires_in":60}`
	}
	var asked url.Values
	// An answer with another state is not ours, and changes nothing.
	tokens, pages, err := signIn(t, p.discovered(t), func(url.Values) string { return "code=evil&state=guessed" }, func(q url.Values) string { asked = q; return right(q) })
	if err != nil || tokens.Access != "at1" || tokens.Refresh != "rt1" || tokens.Expires.IsZero() {
		t.Errorf("signing in: %+v, %v", tokens, err)
	}
	if len(pages) != 2 || !strings.HasPrefix(pages[0], "400 ") || !strings.HasPrefix(pages[1], "200 ") {
		t.Errorf("the browser sees %q", pages)
	}
	form := *p.form.Load()
	if asked.Get("code_challenge_method") != "S256" || len(asked.Get("state")) < 43 || asked.Get("scope") != "openid offline_access" || asked.Get("prompt") != "consent" ||
		form.Get("code") != "c1" || len(form.Get("code_verifier")) < 43 || form.Get("client_id") != "app" || form.Get("redirect_uri") != asked.Get("redirect_uri") ||
		!strings.HasPrefix(asked.Get("redirect_uri"), "http://127.0.0.1:") || !strings.HasSuffix(asked.Get("redirect_uri"), "/callback") {
		t.Errorf("asked for %v, and exchanged %v", asked, form)
	}
}

func TestSignInThatFails(t *testing.T) {
	p := startProvider(t)
	for _, row := range []struct {
		title       string
		namesItself bool
		back        string // with the state
		status      int
		body, want  string
	}{
		{"refused by the person", false, "error=access_denied&error_description=no", 0, "", "access_denied no"},
		{"no code", false, "", 0, "", "no code"},
		{"another provider", false, "code=c1&iss=https://evil.example", 0, "", "evil.example"},
		{"a provider that does not name itself, and says that it does", true, "code=c1", 0, "", "not from"},
		{"no token", false, "code=c1", 400, `{"error":"invalid_grant","error_description":"used"}`, "invalid_grant used"},
		{"a token of another kind", false, "code=c1", 200, `{"access_token":"secret-token","token_type":"dpop"}`, "not for bearers"},
		{"a token that is none", false, "code=c1", 200, `{"access_token":"secret token","token_type":"bearer"}`, "is no token"},
		{"a page", false, "code=c1", 500, `<html>secret-token`, "answered 500"},
	} {
		p.namesItself = row.namesItself
		p.answer = func(url.Values) (int, string) { return row.status, row.body }
		_, _, err := signIn(t, p.discovered(t), func(q url.Values) string { return row.back + "&state=" + q.Get("state") })
		if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", row.title, err, row.want)
		}
	}
	p.namesItself = true
	p.answer = func(url.Values) (int, string) { return 200, `{"access_token":"at","token_type":"bearer"}` }
	if _, _, err := signIn(t, p.discovered(t), func(q url.Values) string { return right(q) + "&iss=" + url.QueryEscape(p.URL) }); err != nil {
		t.Errorf("a provider that names itself: %v", err)
	}
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	if _, err := newCallback("s", Provider{}).wait(ctx); !errors.Is(err, client.ErrNotPermitted) {
		t.Errorf("nobody signs in: %v", err)
	}
}

// A provider is who it says it is, and is asked over TLS unless it is on this machine.
func TestDiscovery(t *testing.T) {
	document := ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, document) }))
	t.Cleanup(srv.Close)
	for text, want := range map[string]string{
		`{"issuer":"https://evil.example"}`: "calls itself",
		`{"issuer":"` + srv.URL + `"}`:      "no endpoints",
		`{"issuer":"` + srv.URL + `","authorization_endpoint":"http://evil.example/a","token_endpoint":"https://a.example"}`: "cleartext",
		`<html>`: "not the document",
	} {
		document = text
		if _, err := Discover(t.Context(), client.NewHTTPClient(), Provider{Issuer: srv.URL}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if _, err := Discover(t.Context(), client.NewHTTPClient(), Provider{Issuer: "http://id.example"}); err == nil || !strings.Contains(err.Error(), "cleartext") {
		t.Errorf("an issuer without TLS: %v", err)
	}
	document = `{"components":{"securitySchemes":{"bearer":{}}},"security":[{"bearer":[]}]}`
	if _, err := OfServer(t.Context(), client.NewHTTPClient(), srv.URL); !errors.Is(err, ErrNoSignIn) {
		t.Errorf("a server that names no provider: %v", err)
	}
}

// Tokens are refreshed when they end or a server does not take them, and the new ones are kept.
func TestRefresh(t *testing.T) {
	p := startProvider(t)
	now := time.Now()
	store := Store{filepath.Join(t.TempDir(), "logins")}
	source := &Source{Store: store, Server: "https://a.example", HTTP: client.NewHTTPClient(), Now: func() time.Time { return now }}
	save := func(access, refresh string, expires time.Time) {
		t.Helper()
		if err := store.Save(Login{Server: source.Server, Provider: p.discovered(t), Tokens: Tokens{access, refresh, expires}}); err != nil {
			t.Fatal(err)
		}
	}
	turns := 0
	p.answer = func(form url.Values) (int, string) {
		turns++
		if form.Get("grant_type") != "refresh_token" || form.Get("client_id") != "app" || form.Get("refresh_token") != "rt1" {
			return 400, `{"error":"invalid_grant","error_description":"no such token: ` + form.Get("refresh_token") + `"}`
		}
		return 200, fmt.Sprintf(`{"access_token":"new%d","token_type":"bearer","expires_in":3600}`, turns)
	}
	token := func(rejected, want string) {
		t.Helper()
		if got, err := source.Token(t.Context(), rejected); got != want || (err == nil) != (want != "") || err != nil && (!errors.Is(err, client.ErrNotPermitted) || strings.Contains(err.Error(), "rt2")) {
			t.Errorf("rejected %q: %q, %v, want %q", rejected, got, err, want)
		}
	}
	save("old", "rt1", now.Add(time.Minute))
	token("", "old")
	token("old", "new1")
	token("old", "new1") // somebody else has refreshed it
	now = now.Add(2 * time.Hour)
	token("", "new2") // and the refresh token was kept
	save("old", "rt2", now.Add(-time.Second))
	token("", "")
	save("old", "", now.Add(-time.Second))
	token("", "")
	save("old", "", time.Time{})
	token("", "old")
	token("old", "")

	save("old", "rt1", now)
	l, err := store.Load(source.Server)
	if err != nil {
		t.Fatal(err)
	}
	if done, err := Revoke(t.Context(), source.HTTP, l); !done || err != nil {
		t.Errorf("revoking: %v, %v", done, err)
	}
	if got := strings.Join(*p.revoked.Load(), ","); !strings.Contains(got, "refresh_token rt1 app") || !strings.Contains(got, "access_token old app") {
		t.Errorf("revoked %q", got)
	}
}

// A login is its owner's alone, and counts for one server.
func TestStore(t *testing.T) {
	store := Store{filepath.Join(t.TempDir(), "a", "logins")}
	if _, err := store.Load("https://a.example"); !errors.Is(err, ErrNone) {
		t.Errorf("no login: %v", err)
	}
	if err := store.Save(Login{Server: "https://a.example", Tokens: Tokens{Access: "secret-token"}}); err != nil {
		t.Fatal(err)
	}
	if l, err := store.Load("https://a.example"); err != nil || l.Access != "secret-token" {
		t.Errorf("the login is %+v, %v", l, err)
	}
	if _, err := store.Load("https://b.example"); !errors.Is(err, ErrNone) {
		t.Errorf("another server's login: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(store.Dir, "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v", files, err)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode() != 0o600 {
		t.Errorf("the file's mode is %v, %v", info.Mode(), err)
	}
	for _, spoil := range []func() error{
		func() error { return os.Chmod(files[0], 0o640) },
		func() error {
			return errors.Join(os.Chmod(files[0], 0o600), os.WriteFile(files[0], []byte("{"), 0o600))
		},
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Load("https://a.example"); !errors.Is(err, client.ErrNotPermitted) || strings.Contains(err.Error(), "secret") {
			t.Errorf("a spoilt file: %v", err)
		}
	}
}

// Where a login is exchanged or removed while a command refreshes it, that stays, and what the refresh gave is ended.
func TestRefreshIsTooLate(t *testing.T) {
	p := startProvider(t)
	store := Store{t.TempDir()}
	source := &Source{Store: store, Server: "https://a.example", HTTP: client.NewHTTPClient(), Now: time.Now}
	of := func(access, refresh string) Login {
		return Login{Server: source.Server, Provider: p.discovered(t), Tokens: Tokens{Access: access, Refresh: refresh}}
	}
	for title, row := range map[string]struct {
		meanwhile func() error // without the lock, as on a system that has none
		want      string
	}{
		"logout": {func() error { return os.Remove(store.file(source.Server)) }, ""},
		"login":  {func() error { return store.write(of("bob", "rt2")) }, "bob"},
	} {
		if err := store.Save(of("alice", "rt1")); err != nil {
			t.Fatal(err)
		}
		p.answer = func(url.Values) (int, string) {
			if err := row.meanwhile(); err != nil {
				t.Error(err)
			}
			return 200, `{"access_token":"late","refresh_token":"rt3","token_type":"bearer","expires_in":3600}`
		}
		if got, err := source.Token(t.Context(), "alice"); !errors.Is(err, client.ErrNotPermitted) {
			t.Errorf("%s: %q, %v, want an error", title, got, err)
		}
		if l, err := store.Load(source.Server); l.Access != row.want || (err == nil) != (row.want != "") {
			t.Errorf("%s: the login is %q, %v, want %q", title, l.Access, err, row.want)
		}
		if got := strings.Join(*p.revoked.Load(), ","); !strings.Contains(got, "refresh_token rt3 app") || !strings.Contains(got, "access_token late app") {
			t.Errorf("%s: revoked %q", title, got)
		}
	}
}

// Logging out waits for a refresh of another command, and ends the tokens that it gave. So does logging in.
func TestChangesWaitForARefresh(t *testing.T) {
	p := startProvider(t)
	store := Store{t.TempDir()}
	of := func(access string) Login {
		return Login{Server: "https://a.example", Provider: p.discovered(t), Tokens: Tokens{Access: access}}
	}
	for title, row := range map[string]struct {
		change func() error
		want   string
	}{
		"logout": {func() error {
			_, err := store.End(t.Context(), client.NewHTTPClient(), "https://a.example")
			return err
		}, ""},
		"login": {func() error { return store.Save(of("next")) }, "next"},
	} {
		if err := store.Save(of("old")); err != nil {
			t.Fatal(err)
		}
		unlock, err := store.lock("https://a.example")
		if err != nil {
			t.Fatal(err)
		}
		begun, done := make(chan struct{}), make(chan error, 1)
		go func() {
			close(begun)
			done <- row.change()
		}()
		<-begun
		if err := store.write(of("fresh")); err != nil {
			t.Fatal(err)
		}
		unlock()
		if err := <-done; err != nil {
			t.Errorf("%s: %v", title, err)
		}
		if l, _ := store.Load("https://a.example"); l.Access != row.want {
			t.Errorf("%s: the login is %q, want %q", title, l.Access, row.want)
		}
		if title == "logout" && !strings.Contains(strings.Join(*p.revoked.Load(), ","), "access_token fresh app") {
			t.Errorf("revoked %q, want the fresh token", *p.revoked.Load())
		}
	}
}
