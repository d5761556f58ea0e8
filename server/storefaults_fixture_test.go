package server

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"example.org/avatard/authz"
	"example.org/avatard/storage"
	"example.org/avatard/storage/faulty"
	"example.org/avatard/storage/storagetest"
	"example.org/avatard/test/client"
)

// lab is a server whose store fails on demand. All of it, the network too, is in memory and on the test's own
// clock, except for what the engine keeps.
type lab struct {
	*fixture
	t       *testing.T
	engine  subject
	faults  *faulty.Store
	pattern *storagetest.Pattern
	number  uint32 // of the newest picture

	form  client.Form
	own   bool
	fault storeFault

	at       string // the fault, and where it is
	users    int    // so far
	user     string
	uploaded []byte // what the newest upload brought to the store
	hit      bool   // the fault came and was taken away
}

func startLab(t *testing.T, engine subject, pattern *storagetest.Pattern) *lab {
	t.Helper()
	if _, err := engine.AddOrganization(t.Context(), acme, storage.Origin{Caller: "test"}); err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, engine: engine, faults: faulty.New(engine), pattern: pattern}
	l.fixture = &fixture{store: engine, log: new(lockedBuffer)}
	var err error
	if l.server, err = New(Config{
		Store: marker{l.faults, l}, Issuer: issuer, Authenticator: everybody{tokens(people())},
		Permissions: authz.NewClaims(authz.DefaultPolicy()), Logger: slog.New(slog.NewTextHandler(l.log, nil)), PublicAssets: true,
	}); err != nil {
		t.Fatal(err)
	}
	network := newPipes()
	srv := NewHTTPServer(l.server.Handler(), nil)
	served := make(chan struct{})
	go func() {
		_ = srv.Serve(network)
		close(served)
	}()
	l.call(t, client.Config{URL: "http://lab.test", Dial: network.dial}) // which waits as long as it takes
	t.Cleanup(func() {
		l.client.Close()
		_ = srv.Close()
		<-served
		_ = engine.Close()
	})
	return l
}

// end closes the engine and demands that nothing of it holds a byte of any picture: all were deleted.
func (l *lab) end() {
	l.t.Helper()
	if err := l.engine.Close(); err != nil {
		l.t.Error(err)
	}
	if left, err := l.engine.left(); err != nil || len(left) > 0 {
		l.t.Errorf("in the end there are pieces of %v bytes, %v", left, err)
	}
	if l.number < 300 {
		l.t.Errorf("only %d pictures were uploaded", l.number)
	}
}

// holds returns the picture that the user has, read without the server and the faults. It demands that a look past the engine finds it,
// so that the look is known to work.
func (l *lab) holds() []byte {
	l.t.Helper()
	p, err := l.engine.Get(context.Background(), l.key(l.user), acme)
	if err != nil {
		return nil
	}
	kept, err := l.engine.kept()
	// The zeros behind it may happen to go on like the pattern.
	if err != nil || len(kept) != 1 || kept[0] < len(p.Data) {
		l.t.Errorf("%s: %v bytes are found, %v, of a picture of %d", l.at, kept, err, len(p.Data))
	}
	return p.Data
}

func (l *lab) headers() []string {
	if l.own {
		return bearer("own-"+l.user, "X-Zitadel-Orgid", acme)
	}
	return bearer("admin-token-1", "X-Zitadel-Orgid", acme)
}

func (l *lab) rest(method, path string, body io.Reader, headers []string) reply {
	l.t.Helper()
	res, text := l.do(l.t, method, path, body, headers...)
	return reply{ok: res.StatusCode == http.StatusOK, status: res.StatusCode, retryAfter: res.Header.Get("Retry-After"), text: text}
}

// marker puts a picture of the pattern in place of every one that the server gives to the store, so that each piece of
// it can be found. The server encodes pictures anew, which would destroy the pattern.
type marker struct {
	storage.Store
	l *lab
}

func (m marker) Put(ctx context.Context, up storage.Upload) (storage.Result, error) {
	m.l.number++
	m.l.uploaded = m.l.pattern.Picture(m.l.number, len(up.Picture.Data))
	up.Picture.Data = m.l.uploaded
	return m.Store.Put(ctx, up)
}

// everybody is an authenticator that knows, beside the usual people, a token for every user of acme.
type everybody struct{ tokens }

func (a everybody) Authenticate(ctx context.Context, header http.Header) (authz.Identity, error) {
	if id, ok := strings.CutPrefix(header.Get("Authorization"), "Bearer own-"); ok {
		return authz.Identity{Issuer: issuer, Subject: id, Organization: acme}, nil
	}
	return a.tokens.Authenticate(ctx, header)
}
