package devidp

import (
	"encoding/json"
	"example.org/avatard/test/clock"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// fixture is a seeded provider behind real HTTP on loopback.
type fixture struct {
	*Provider
	seeded *Seeded
	clock  *clock.Clock
	http   *http.Client // no cookies, no redirects
}

func start(t *testing.T) *fixture {
	t.Helper()
	c := clock.At(time.Now().Truncate(time.Second))
	server := httptest.NewUnstartedServer(nil)
	provider, seeded, err := Seed(Config{Issuer: "http://" + server.Listener.Addr().String() + "/idp", Now: c.Now})
	if err != nil {
		t.Fatalf("Seed: %v", err)
	}
	server.Config.Handler = provider.Handler()
	server.Start()
	t.Cleanup(server.Close)
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &fixture{Provider: provider, seeded: seeded, clock: c, http: client}
}

// answer is a response that has been read.
type answer struct {
	status int
	header http.Header
	body   string
}

func (f *fixture) do(t *testing.T, req *http.Request) answer {
	t.Helper()
	resp, err := f.http.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("read the answer to %s %s: %v", req.Method, req.URL, err)
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: string(body)}
}

func (f *fixture) get(t *testing.T, address string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f.do(t, req)
}

// post sends a form to a path below the issuer; user "" sends no credentials.
func (f *fixture) post(t *testing.T, path, user, password string, form url.Values) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.seeded.Issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if user != "" {
		req.SetBasicAuth(url.QueryEscape(user), url.QueryEscape(password))
	}
	return f.do(t, req)
}

// introspect returns the answer as the server's client gets it.
func (f *fixture) introspect(t *testing.T, text string) map[string]any {
	t.Helper()
	a := f.post(t, "/oauth/introspect", f.seeded.Client.ID, f.seeded.Client.Secret, url.Values{"token": {text}})
	if a.status != http.StatusOK {
		t.Fatalf("introspection: status %d, body %q", a.status, a.body)
	}
	return decode(t, a.body)
}

func (f *fixture) active(t *testing.T, text string) bool {
	t.Helper()
	return f.introspect(t, text)["active"] == true
}

func (f *fixture) mint(t *testing.T, spec TokenSpec) string {
	t.Helper()
	text, err := f.Mint(spec)
	if err != nil {
		t.Fatalf("Mint(%+v): %v", spec, err)
	}
	return text
}

// machineToken runs the client credentials grant for a seeded machine.
func (f *fixture) machineToken(t *testing.T, login, scope string) string {
	t.Helper()
	c, ok := f.MachineClient(login)
	if !ok {
		t.Fatalf("no machine %q", login)
	}
	a := f.post(t, "/oauth/token", c.ID, c.Secret, url.Values{"grant_type": {"client_credentials"}, "scope": {scope}})
	text, _ := decode(t, a.body)["access_token"].(string)
	if a.status != http.StatusOK || text == "" {
		t.Fatalf("client credentials for %q: status %d, body %q", login, a.status, a.body)
	}
	return text
}

func decode(t *testing.T, body string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("decode %q: %v", body, err)
	}
	return v
}
