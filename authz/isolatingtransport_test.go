package authz

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// strayProvider speaks HTTP/1.1 and sends two answers to each request but the first of a kind: the right one and, when
// the connection is used again, one that lets anybody do anything.
type strayProvider struct {
	url         string
	connections atomic.Int64
	reused      atomic.Int64
}

func startStrayProvider(t *testing.T) *strayProvider {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &strayProvider{url: "http://" + listener.Addr().String()}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.connections.Add(1)
			serving.Go(func() { p.serve(conn) })
		}
	})
	t.Cleanup(func() { listener.Close(); serving.Wait() })
	return p
}

func (p *strayProvider) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for n := 1; ; n++ {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return
		}
		document := fmt.Sprintf(`{"issuer":%q,"introspection_endpoint":"%s/introspect"}`, p.url, p.url)
		right := map[string]string{"/introspect": `{"active":false}`, permissionsPath: `{}`}[req.URL.Path]
		if right == "" {
			right = document
		}
		stray := claims(map[string]any{"iss": p.url, "sub": "alice"})
		if req.URL.Path == permissionsPath {
			stray = `{"result":["user.write"]}`
		}
		if n > 1 { // it belongs to the request before, and the right one comes behind it
			p.reused.Add(1)
			right, stray = stray, right
		}
		answer := ""
		for _, body := range []string{right, stray} {
			answer += fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			if n == 1 {
				break
			}
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

// An answer too many of the provider is never taken for that to the next question.
func TestStrayAnswers(t *testing.T) {
	p := startStrayProvider(t)
	in, err := NewIntrospector(IntrospectionConfig{Issuer: p.url, ClientID: "client", ClientSecret: "secret", Audience: "avatars",
		ProjectID: "42", Timeout: time.Minute, Now: func() time.Time { return time.Unix(testNow, 0) }, CarryToken: true, UnknownPerSecond: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer in.client.CloseIdleConnections()
	permissions, err := NewProviderPermissions(in)
	if err != nil {
		t.Fatal(err)
	}
	const each = 20
	for i := range each {
		if id, err := in.Authenticate(t.Context(), bearer(fmt.Sprint("invented-", i))); !errors.Is(err, ErrInvalidToken) {
			t.Errorf("invented token %d = %+v, %v, want %v", i, id.Subject, err, ErrInvalidToken)
		}
		id := Identity{Subject: "bob", Credential: NewCredential(fmt.Sprint("token-", i))}
		if grant, err := permissions.Grant(t.Context(), id, "acme"); err != nil || grant.Member {
			t.Errorf("permissions %d = %+v, %v, want none", i, grant, err)
		}
	}
	if got, reused := p.connections.Load(), p.reused.Load(); got != 2*each+1 || reused != 0 {
		t.Errorf("%d connections for %d questions, %d used again", got, 2*each+1, reused)
	}
}

// A transport of somebody else is asked for the same.
func TestStrayAnswersOverAnotherTransport(t *testing.T) {
	p := startStrayProvider(t)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	in, err := NewIntrospector(IntrospectionConfig{Issuer: p.url, ClientID: "client", ClientSecret: "secret", Audience: "avatars",
		Timeout: time.Minute, Now: func() time.Time { return time.Unix(testNow, 0) }, HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if id, err := in.Authenticate(t.Context(), bearer(fmt.Sprint("invented-", i))); !errors.Is(err, ErrInvalidToken) {
			t.Errorf("invented token %d = %+v, %v, want %v", i, id.Subject, err, ErrInvalidToken)
		}
	}
}

// Connections are kept over HTTP/2, not over HTTP/1.1. A provider that stops speaking HTTP/2 is asked over HTTP/1.1.
func TestConnectionsByProtocol(t *testing.T) {
	p := newChangingServer(t)
	one := p.both.Clone()
	one.NextProtos = []string{"http/1.1"}
	silent := p.both.Clone()
	silent.NextProtos = nil
	for name, config := range map[string]*tls.Config{"says http/1.1": one, "says nothing": silent} {
		t.Run(name, func(t *testing.T) {
			p.without.Store(config)
			c := newIsolatingTransport(time.Minute, &tls.Config{RootCAs: p.roots})
			defer c.CloseIdleConnections()
			p.http2.Store(false)
			for i := range 3 {
				if got := p.ask(t, c, 1); got != 1 {
					t.Errorf("question %d over HTTP/1.1 made %d connections, want 1", i, got)
				}
			}
			p.http2.Store(true)
			for i, want := range []int64{1, 1, 0, 0, 0} { // the first tells that it is HTTP/2, the second one is kept
				if got := p.ask(t, c, 2); got != want {
					t.Errorf("question %d over HTTP/2 made %d connections, want %d", i, got, want)
				}
			}
			p.http2.Store(false)
			c.CloseIdleConnections()
			for i, want := range []int64{2, 1, 1} { // the first one has to find out
				if got := p.ask(t, c, 1); got != want {
					t.Errorf("question %d after HTTP/2 made %d connections, want %d", i, got, want)
				}
			}
		})
	}
}

// changingServer speaks HTTP/2 beside HTTP/1.1, or not, and counts connections.
type changingServer struct {
	*httptest.Server
	roots    *x509.CertPool
	both     *tls.Config
	without  atomic.Pointer[tls.Config] // when it does not
	http2    atomic.Bool
	accepted atomic.Int64
}

func newChangingServer(t *testing.T) *changingServer {
	t.Helper()
	p := &changingServer{roots: x509.NewCertPool()}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%d %s", r.ProtoMajor, body)
	}))
	p.EnableHTTP2 = true
	p.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail on purpose
	p.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			p.accepted.Add(1)
		}
	}
	p.StartTLS()
	t.Cleanup(p.Close)
	p.both = p.TLS.Clone()
	p.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if p.http2.Load() {
			return p.both, nil
		}
		return p.without.Load(), nil
	}
	p.roots.AddCert(p.Certificate())
	return p
}

// ask sends a question, demands the answer, and returns how many connections that made.
func (p *changingServer) ask(t *testing.T, c *isolatingTransport, wantVersion int) (connections int64) {
	t.Helper()
	before := p.accepted.Load()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL, strings.NewReader("question"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if want := fmt.Sprintf("%d question", wantVersion); err != nil || string(body) != want {
		t.Errorf("answer = %q, %v, want %q", body, err, want)
	}
	return p.accepted.Load() - before
}
