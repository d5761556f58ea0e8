//go:build unix

package e2e

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// A page of another loopback origin signs a manager in at dev's provider with what the environment file tells, and deletes a picture with
// the token.
func TestSignInFromAPage(t *testing.T) {
	node, dir := npmClients(t)
	_, env := startDev(t)
	pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(`<!doctype html><title>A page</title><link rel="icon" href="data:,">`))
	}))
	t.Cleanup(pages.Close)
	_, port, _ := net.SplitHostPort(pages.Listener.Addr().String())
	for _, callback := range []string{"http://127.0.0.1:" + port + "/callback", "http://localhost:" + port + "/"} {
		type answer struct {
			Origin string
			Status int
			Body   string
		}
		told := tell[answer](t, map[string]any{
			"executable": Program(t, "chromium"), "page": callback, "callback": callback,
			"issuer": env["AVATARD_ISSUER"], "clientId": env["LOGIN_CLIENT_ID"], "scopes": env["LOGIN_SCOPES"], "person": env["USER_ERIN"],
			"url": removalURL(env, "USER_ALICE"), "method": http.MethodDelete,
		}, node, filepath.Join(dir, "signin.js"))
		if len(told) != 1 || told[0].Status != http.StatusOK || !strings.Contains(told[0].Body, env["ORG_ACME"]) {
			t.Errorf("page of %s: %+v, want 200", callback, told)
		}
	}
	wantStatus(t, 404, "GET", avatarURL(env, "ORG_ACME", "USER_ALICE"), "")

	// Answers that pages do not need have no header of CORS, and a page of the open web reads nothing.
	for _, row := range []struct{ path, origin, want string }{
		{"/.well-known/openid-configuration", pages.URL, pages.URL},
		{"/oauth/token", pages.URL, pages.URL},
		{"/oauth/token", "https://evil.example", ""},
		{"/oauth/introspect", pages.URL, ""},
		{"/authorize", pages.URL, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, env["AVATARD_ISSUER"]+row.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", row.origin)
		req.Header.Set("Access-Control-Request-Method", http.MethodPost)
		if row.path == "/.well-known/openid-configuration" {
			req.Header.Set("Access-Control-Request-Method", http.MethodGet)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if got := res.Header.Get("Access-Control-Allow-Origin"); got != row.want || res.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s asked by %s: %d, leave for %q, want %q", row.path, row.origin, res.StatusCode, got, row.want)
		}
	}
}

// A port that is taken is told with the way out.
func TestBusyPort(t *testing.T) {
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	_, errOut, code := runAll(t, "dev", "--listen", ln.Addr().String(), "--env-file", "")
	if code != 1 || !strings.Contains(errOut, "stop the program that has this port, or choose another one with --listen 127.0.0.1:0") {
		t.Errorf("exit code %d: %s", code, errOut)
	}
}
