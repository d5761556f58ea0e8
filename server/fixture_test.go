package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"example.org/avatard/authz"
	"example.org/avatard/server/picture"
	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
	"example.org/avatard/test/client"
)

const (
	issuer = "https://issuer.test"
	acme   = "69629023906488334"
	globex = "69629023906488335"

	initech = "69629023906488336"  // not registered
	alice   = "100000000000000001" // acme, has a picture
	bob     = "100000000000000002" // acme, has none
	carol   = "100000000000000003" // globex, has a picture
	secret  = "s3cr3t-of-the-inside"
)

// people are the callers of the tests, by token.
func people() map[string]authz.Identity {
	who := func(id, org string, roles map[string][]string) authz.Identity {
		return authz.Identity{Issuer: issuer, Subject: id, Organization: org, Roles: roles}
	}
	return map[string]authz.Identity{
		"admin-token-1":     who("900000000000000001", acme, map[string][]string{"ORG_OWNER": {acme, globex}}),
		"viewer-token-1":    who("900000000000000002", acme, map[string][]string{"ORG_OWNER_VIEWER": {acme}}),
		"nobody-token-1":    who("900000000000000003", acme, nil),
		"homeless-token-1":  who("900000000000000004", "", nil),
		"alice-token-1":     who(alice, acme, nil),
		"moved-token-1":     who(alice, globex, nil),
		"elsewhere-token-1": who(alice, initech, nil), // which is not registered
		"new-token-1":       who("100000000000000009", acme, nil),
	}
}

// tokens is an authenticator that knows people.
type tokens map[string]authz.Identity

func (t tokens) Authenticate(_ context.Context, header http.Header) (authz.Identity, error) {
	values := header.Values("Authorization")
	if len(values) == 0 {
		return authz.Identity{}, authz.ErrNoToken
	}
	token, ok := strings.CutPrefix(values[0], "Bearer ")
	if !ok || len(values) > 1 {
		return authz.Identity{}, authz.ErrMalformedToken
	}
	id, ok := t[token]
	if !ok {
		return authz.Identity{}, fmt.Errorf("look up: %w", authz.ErrInvalidToken)
	}
	return id, nil
}

// fixture is a server on a port of its own, with a real store behind it.
type fixture struct {
	url    string
	store  storage.Store // the real one
	server *Server
	log    *lockedBuffer
	client *client.Client
	// http1 and http2 are those of client. Each speaks one version of HTTP only.
	http1, http2 *http.Client
}

// start starts a server. change may replace parts of the configuration.
func start(t *testing.T, change func(*Config)) *fixture {
	t.Helper()
	ctx := t.Context()
	store, err := embedded.Open(ctx, embedded.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	f := &fixture{store: store, log: new(lockedBuffer)}
	for user, org := range map[string]string{alice: acme, bob: acme, carol: globex} {
		if _, _, err := store.AddUser(ctx, f.key(user), org, storage.Origin{Caller: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	f.give(t, alice, acme)
	f.give(t, carol, globex)
	cfg := Config{
		Store: store, Issuer: issuer, Authenticator: tokens(people()), Permissions: authz.NewClaims(authz.DefaultPolicy()),
		Logger: slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})), PublicAssets: true,
	}
	if change != nil {
		change(&cfg)
	}
	if f.server, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	f.serve(t, f.server)
	return f
}

// serve starts a server on a port of its own and makes it the fixture's.
func (f *fixture) serve(t *testing.T, server *Server) {
	t.Helper()
	srv := httptest.NewUnstartedServer(nil)
	srv.Config = NewHTTPServer(server.Handler(), nil)
	srv.Start()
	t.Cleanup(srv.Close)
	f.server = server
	f.call(t, client.Config{URL: srv.URL, Timeout: 20 * time.Second})
}

// call makes the clients of the fixture.
func (f *fixture) call(t *testing.T, cfg client.Config) {
	f.url, f.client = cfg.URL, client.New(cfg)
	f.http1, f.http2 = f.client.HTTP1, f.client.HTTP2
	t.Cleanup(f.client.Close)
}

func (f *fixture) key(user string) storage.UserKey { return storage.UserKey{Issuer: issuer, ID: user} }

// give stores a picture without the server.
func (f *fixture) give(t *testing.T, user, org string) {
	t.Helper()
	_, err := f.store.Put(t.Context(), storage.Upload{User: f.key(user), Organization: org,
		Picture: storage.Picture{Format: storage.PNG, Data: picture.Sample(7, 2000)}})
	if err != nil {
		t.Fatal(err)
	}
}

// has reports whether the store holds a picture of a user.
func (f *fixture) has(t *testing.T, user, org string) bool {
	t.Helper()
	_, err := f.store.Get(t.Context(), f.key(user), org)
	return err == nil
}

// do sends one request over HTTP/1.1 and reads the whole answer. headers are name, value, name, value and may repeat.
func (f *fixture) do(t *testing.T, method, path string, body io.Reader, headers ...string) (*http.Response, string) {
	t.Helper()
	return f.doOver(t, f.http1, method, path, body, headers...)
}

// doOver is do with a client of the fixture.
func (f *fixture) doOver(t *testing.T, client *http.Client, method, path string, body io.Reader, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, f.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

// lockedBuffer is a log that tests may read while the server writes.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
