package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/grpcreflect"
	"golang.org/x/net/http2"

	"example.org/avatard/storage/faulty"
)

// slowBody returns a body that never ends until it is released.
func slowBody(t *testing.T) (body io.Reader, release func()) {
	t.Helper()
	r, w := io.Pipe()
	return r, func() { _ = w.CloseWithError(io.ErrUnexpectedEOF) }
}

// hold returns a fault in which the first removal closes entered and waits for release.
func hold(entered, release chan struct{}) faulty.Fault {
	return faulty.Fault{Kind: faulty.Slow, Methods: []faulty.Method{faulty.Remove}, Wait: func(context.Context) {
		close(entered)
		<-release
	}}
}

func TestShutdownLetsCallsEnd(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		entered, release := make(chan struct{}), make(chan struct{})
		f := start(t, func(c *Config) { c.Store = faulty.Always(c.Store, hold(entered, release)) })
		l := f.listen(t, false)
		answered := make(chan int, 1)
		client := f.http1
		if http2 {
			client = f.http2
		}
		go func() {
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodDelete, "http://"+l.address+"/management/v1/users/"+alice+"/avatar", nil)
			req.Header.Set("Authorization", "Bearer admin-token-1")
			res, err := client.Do(req)
			if err != nil {
				answered <- 0
				return
			}
			_ = res.Body.Close()
			answered <- res.StatusCode
		}()
		<-entered
		l.stop()
		for { // until the listener is gone
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.address)
			if err != nil {
				break
			}
			_ = conn.Close()
		}
		select {
		case err := <-l.served:
			t.Errorf("Serve returned %v while a call was running", err)
		default:
		}
		close(release)
		if status := <-answered; status != http.StatusOK {
			t.Errorf("the running call got %d, want 200", status)
		}
		if err := <-l.served; err != nil {
			t.Errorf("Serve = %v, want nil", err)
		}
	}
}

func TestShutdownEndsSomeday(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	f := start(t, func(c *Config) {
		c.Store = faulty.Always(c.Store, hold(entered, release))
		c.ShutdownGrace = time.Millisecond
	})
	l := f.listen(t, false)
	go func() {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodDelete, "http://"+l.address+"/auth/v1/users/me/avatar", nil)
		req.Header.Set("Authorization", "Bearer alice-token-1")
		if res, err := f.http1.Do(req); err == nil {
			_ = res.Body.Close()
		}
	}()
	<-entered
	l.stop()
	if err := <-l.served; err == nil || !strings.Contains(err.Error(), "still running") {
		t.Errorf("Serve = %v, want that calls were still running", err)
	}
	close(release)
}

// A listener that fails ends Serve, also while clients are connected.
func TestServeEndsWithItsListener(t *testing.T) {
	f := start(t, nil)
	l := f.listen(t, false)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00" // without them it would not stay
	if _, err := io.WriteString(conn, http2.ClientPreface+settings); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 9)); err != nil { // the server's SETTINGS
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-l.served; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve = %v, want that the listener is closed", err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the connection ends with %v", err)
	}
}

func TestHealth(t *testing.T) {
	broken := errors.New("disk gone")
	var failing error
	f := start(t, func(c *Config) {
		c.Checks = []Check{{Name: "sweeper", Ready: func(context.Context) error { return failing }}}
	})
	check := func(service string) string {
		_, body := f.do(t, http.MethodPost, "/grpc.health.v1.Health/Check", strings.NewReader(`{"service":"`+service+`"}`), "Content-Type", "application/json")
		return body
	}
	if res, body := f.do(t, http.MethodGet, "/readyz", nil); res.StatusCode != http.StatusOK || body != "ok\n" {
		t.Errorf("/readyz: %d %q", res.StatusCode, body)
	}
	if got := check("zitadel.auth.v1.AuthService"); !strings.Contains(got, `STATUS_SERVING"`) {
		t.Errorf("health = %s", got)
	}
	if got := check("no.such.Service"); !strings.Contains(got, `"not_found"`) {
		t.Errorf("health of an unknown service = %s", got)
	}
	failing = broken
	if res, body := f.do(t, http.MethodGet, "/readyz", nil); res.StatusCode != http.StatusServiceUnavailable || body != "not ready: sweeper\n" {
		t.Errorf("/readyz: %d %q", res.StatusCode, body)
	}
	if got := check(""); !strings.Contains(got, `NOT_SERVING"`) {
		t.Errorf("health = %s", got)
	}
	if res, _ := f.do(t, http.MethodGet, "/healthz", nil); res.StatusCode != http.StatusOK {
		t.Errorf("/healthz: %d, want 200: the process runs", res.StatusCode)
	}
	if !strings.Contains(f.log.String(), broken.Error()) {
		t.Error("the log does not say why")
	}
}

func TestReflection(t *testing.T) {
	f := start(t, nil)
	stream := grpcreflect.NewClient(f.http2, f.url).NewStream(t.Context())
	names, err := stream.ListServices()
	if err != nil || !slices.Contains(names, "zitadel.management.v1.ManagementService") || !slices.Contains(names, "zitadel.auth.v1.AuthService") {
		t.Errorf("services %v, %v", names, err)
	}
	if _, err := stream.FileContainingSymbol("zitadel.management.v1.ManagementService"); err != nil {
		t.Error(err)
	}
	_, _ = stream.Close()

	// Older tools speak v1alpha: list_services = 7.
	res, body := f.doOver(t, f.http2, http.MethodPost, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
		strings.NewReader(envelope(0, 3, "\x3a\x01*")), "Content-Type", "application/grpc")
	if res.Trailer.Get("Grpc-Status") != "0" || !strings.Contains(body, "zitadel.auth.v1.AuthService") {
		t.Errorf("v1alpha: status %q, %q", res.Trailer.Get("Grpc-Status"), body)
	}
}

func TestHeadersAreBounded(t *testing.T) {
	f := start(t, nil)
	address := strings.TrimPrefix(f.url, "http://")
	head := "GET /healthz HTTP/1.1\r\nHost: " + address + "\r\nX-Large: "
	const end = "\r\n"
	for over, want := range map[int]int{0: 200, 1: 431, 3 << 10: 431, 4 << 10: 431, 1 << 20: 431} {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _ = io.WriteString(conn, head+strings.Repeat("x", DefaultHeaderBytes-len(head+end)+over)+end+"\r\n")
		}()
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != want || want == 431 && !res.Close {
			t.Errorf("header of %d bytes: status %d, closes %v; want %d", DefaultHeaderBytes+over, res.StatusCode, res.Close, want)
		}
		_ = res.Body.Close()
		_ = conn.Close()
	}
	res, _ := f.do(t, http.MethodDelete, "/auth/v1/users/me/avatar", nil, "Authorization", "Bearer "+strings.Repeat("x", 50<<10))
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %d, want 401: tokens may be long", res.StatusCode)
	}
}

// The configuration of a server cannot be changed while it runs.
func TestServerHasNoExportedFields(t *testing.T) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Server]()) {
		if field.IsExported() {
			t.Errorf("Server.%s can be assigned from outside", field.Name)
		}
	}
}
