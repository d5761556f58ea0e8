package e2e

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"

	"example.org/avatard/authz/devidp"
	managementv1 "example.org/avatard/gen/zitadel/management/v1"
	managementconnect "example.org/avatard/gen/zitadel/management/v1/managementv1connect"
	"example.org/avatard/internal/certtest"
	"example.org/avatard/test/clock"
)

// tlsServer is serve over TLS, with a picture of Alice. Its clock stands still unless a test moves it.
type tlsServer struct {
	*running
	*certtest.Files
	clock    *clock.Clock
	provider *faultyProvider
	address  string
}

func startTLS(t *testing.T) (s *tlsServer, serial int64) {
	t.Helper()
	s = &tlsServer{clock: clockAtNoon()}
	s.Files, serial = certtest.NewFiles(t)
	s.provider = newProvider(t, s.clock.Now)
	dir := filepath.Join(t.TempDir(), "data")
	registerWithPicture(t, dir, s.provider.Issuer, devidp.UserAlice)
	var url string
	s.running, url = startServeAt(t, s.clock.Now, s.provider.Settings(), dir, "--tls-cert-file", s.Chain, "--tls-key-file", s.Key)
	s.address = strings.TrimPrefix(url, "http://")
	return s, serial
}

// dial does a handshake that offers some protocols.
func (s *tlsServer) dial(t *testing.T, offer ...string) *tls.Conn {
	t.Helper()
	config := s.Trust()
	config.NextProtos = offer
	conn, err := tls.Dial("tcp", s.address, config)
	if err != nil {
		t.Fatalf("handshake that offers %q: %v", offer, err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (s *tlsServer) wantShown(t *testing.T, serial int64) {
	t.Helper()
	if got := s.dial(t).ConnectionState().PeerCertificates[0].SerialNumber.Int64(); got != serial {
		t.Errorf("a new handshake shows certificate %d, want %d", got, serial)
	}
}

// askHealth sends a request of HTTP/1.1 on a connection that stays open.
func askHealth(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 200 || string(text) != "ok\n" || res.Proto != "HTTP/1.1" {
		t.Errorf("health is answered %s %d %q, %v", res.Proto, res.StatusCode, text, err)
	}
}

func TestTLSHandshake(t *testing.T) {
	s, _ := startTLS(t)
	for _, row := range []struct {
		name  string
		offer []string
		want  string
	}{
		{"both", []string{"h2", "http/1.1"}, "h2"},
		{"the server prefers HTTP/2", []string{"http/1.1", "h2"}, "h2"},
		{"HTTP/1.1 only", []string{"http/1.1"}, "http/1.1"},
		{"no ALPN means HTTP/1.1", nil, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			conn := s.dial(t, row.offer...)
			if got := conn.ConnectionState().NegotiatedProtocol; got != row.want {
				t.Errorf("the server chose %q, want %q", got, row.want)
			}
			if row.want != "h2" {
				askHealth(t, conn)
			}
		})
	}
	for _, row := range []struct {
		name   string
		config func(*tls.Config)
		ok     bool
	}{
		{"TLS 1.3", func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }, true},
		{"TLS 1.2", func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, true},
		{"TLS 1.1 is too old", func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, false},
		{"a protocol that is not spoken here", func(c *tls.Config) { c.NextProtos = []string{"spdy/3"} }, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			config := s.Trust()
			row.config(config)
			conn, err := tls.Dial("tcp", s.address, config)
			if err == nil {
				conn.Close()
			}
			if (err == nil) != row.ok {
				t.Errorf("the handshake ended with %v, want success %v", err, row.ok)
			}
		})
	}
	t.Run("cleartext", func(t *testing.T) {
		if status, body := call(t, "GET", "http://"+s.address+"/healthz", ""); status != 400 || strings.Count(body, "HTTPS server") != 1 {
			t.Errorf("without TLS the answer is %d %q, want 400 and one sentence", status, body)
		}
		if res, err := newHTTP2().RoundTrip(mustRequest(t, "GET", "http://"+s.address+"/healthz")); err == nil {
			res.Body.Close()
			t.Errorf("HTTP/2 without TLS is answered %d", res.StatusCode)
		}
	})
}

func mustRequest(t *testing.T, method, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// The generated client over gRPC, and REST over HTTP/1.1.
func TestCallsOverTLS(t *testing.T) {
	s, _ := startTLS(t)
	for _, version := range []string{"HTTP/2.0", "HTTP/1.1"} {
		protocols := new(http.Protocols)
		protocols.SetHTTP2(version == "HTTP/2.0")
		protocols.SetHTTP1(version == "HTTP/1.1")
		transport := &http.Transport{TLSClientConfig: s.Trust(), Protocols: protocols}
		defer transport.CloseIdleConnections()
		req := mustRequest(t, http.MethodDelete, "https://"+s.address+"/management/v1/users/"+devidp.UserAlice+"/avatar")
		req.Header.Set("Authorization", "Bearer "+s.provider.mint(t, managerID))
		res, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != 200 || res.Proto != version || !successForm.Match(body) {
			t.Errorf("REST over %s is answered %s %d %s, %v", version, res.Proto, res.StatusCode, body, err)
		}
		if version != "HTTP/2.0" {
			continue
		}
		client := managementconnect.NewManagementServiceClient(&http.Client{Transport: transport}, "https://"+s.address, connect.WithGRPC())
		ctx, info := connect.NewClientContext(t.Context())
		info.RequestHeader().Set("Authorization", "Bearer "+s.provider.mint(t, managerID))
		got, err := client.RemoveHumanAvatar(ctx, &managementv1.RemoveHumanAvatarRequest{UserId: devidp.UserAlice})
		if err != nil || got.GetDetails().GetSequence() != 3 {
			t.Errorf("gRPC: %v, %v, want the details of Alice's third change", got, err)
		}
		_, err = client.RemoveHumanAvatar(ctx, &managementv1.RemoveHumanAvatarRequest{UserId: "nobody"})
		wantErrorDetail(t, err, connect.CodeNotFound, "USER-35N8f")
	}
}

// The certificate is replaced while the server serves: new connections get the new one, and open ones stay open. Files that do not
// fit together change nothing.
func TestCertificateReplacedWhileServing(t *testing.T) {
	s, first := startTLS(t)
	early := s.dial(t)
	askHealth(t, early)
	s.wantShown(t, first)

	second := s.Renew()
	s.clock.Advance(time.Second)
	s.wantShown(t, second)
	askHealth(t, early)

	chain, key, third := s.Issue()
	s.Write(s.Chain, chain) // and the key still is that of the second
	const complaint = "the new certificate is of no use"
	for range 3 {
		s.clock.Advance(time.Second)
		s.wantShown(t, second)
	}
	if got := strings.Count(s.out.String(), complaint); got != 1 {
		t.Errorf("the log complains %d times, want once:\n%s", got, s.out)
	}
	s.Write(s.Key, key)
	s.clock.Advance(time.Second)
	s.wantShown(t, third)
	askHealth(t, early)
}

// SIGHUP needs no handshake and no second to pass.
func TestCertificateReadOnHangup(t *testing.T) {
	s, first := startTLS(t)
	s.wantShown(t, first)
	second := s.Renew()
	s.out.expect("certificate read")
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	<-s.out.seen
	s.wantShown(t, second)
}
