//go:build linux

package e2e

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"example.org/avatard/authz"
	"example.org/avatard/authz/devidp"
	"example.org/avatard/internal/certtest"
	"example.org/avatard/server"
)

// proxySetup is a way to put a proxy in front of avatard.
type proxySetup struct {
	title   string
	program string
	file    string // in test/e2e/testdata/proxies, and on docs/proxies.md
}

func proxySetups() []proxySetup {
	return []proxySetup{
		{"nginx, HTTP/1.1", "nginx", "nginx.conf"},
		{"nginx, HTTP/2", "nginx", "nginx-http2.conf"},
		{"HAProxy, HTTP/1.1", "haproxy", "haproxy-http1.cfg"},
		{"HAProxy, HTTP/2", "haproxy", "haproxy.cfg"},
	}
}

// The rest of nginx's configuration, which is the distribution's. DIR is a directory of the test's own. One process, so
// that its end is the end of all.
const nginxAround = `daemon off;
master_process off;
pid DIR/pid;
error_log stderr info;
events {}
http {
    access_log off;
    client_body_temp_path DIR/spool/body;
    proxy_temp_path DIR/spool/proxy;
    fastcgi_temp_path DIR/spool/fastcgi;
    uwsgi_temp_path DIR/spool/uwsgi;
    scgi_temp_path DIR/spool/scgi;
    include DIR/site.conf;
}
`

// proxied is a server with a proxy in front of it.
type proxied struct {
	*wire
	setup    proxySetup
	provider *faultyProvider
	token    string
	other    string // address of the server beside; "" for none

	mu   sync.Mutex
	last *http.Request // that reached the server
}

// startProxied starts both.
func startProxied(t *testing.T, setup proxySetup, users ...string) *proxied {
	t.Helper()
	return startProxiedBeside(t, setup, "", users...)
}

// startProxiedBeside starts both, with a proxy that leads to another server as well; "" for none.
func startProxiedBeside(t *testing.T, setup proxySetup, other string, users ...string) *proxied {
	t.Helper()
	m := &proxied{setup: setup, provider: newProvider(t, nil), other: other}
	m.token = m.provider.mint(t, managerID)
	behind := m.serve(t, users)
	pair, _ := certtest.NewFiles(t)
	dir := proxyDir(t)
	for attempt := 1; ; attempt++ {
		address, err := m.run(t, dir, pair, behind)
		if err == nil {
			m.wire = newSecureWire(t, address, pair.Trust())
			return m
		}
		if attempt == 5 || !strings.Contains(err.Error(), "Address already in use") {
			t.Fatalf("%s does not start: %v", setup.program, err)
		}
	}
}

// serve serves what the product serves, and remembers what reached it. It returns the address.
func (m *proxied) serve(t *testing.T, users []string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	registerWithPicture(t, dir, m.provider.Issuer, users...)
	store := openStore(t, dir)
	callers, err := authz.NewIntrospector(authz.IntrospectionConfig{Issuer: m.provider.Issuer, ClientID: m.provider.Client.ID,
		ClientSecret: m.provider.Client.Secret, Audience: m.provider.Audience, ProjectID: m.provider.Audience, CacheTTL: authz.DefaultCacheTTL})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.New(server.Config{Store: store, Issuer: m.provider.Issuer, Authenticator: callers,
		Permissions: authz.NewClaims(authz.DefaultPolicy()), PublicAssets: true,
		Proxies:       []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
		ClientAddress: server.ForwardedAddress([]netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")})})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	handler := srv.Handler()
	httpServer := server.NewHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		m.last = r.WithContext(r.Context()) // a copy: the server empties the one of a refused request
		m.mu.Unlock()
		handler.ServeHTTP(w, r)
	}), slog.New(slog.DiscardHandler))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		httpServer.Serve(ln) // returns when it is closed below
	}()
	t.Cleanup(func() {
		httpServer.Close()
		<-ended
		store.Close()
	})
	return ln.Addr().String()
}

// arrived returns the request that reached the server last.
func (m *proxied) arrived() *http.Request {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

// proxyAccount is whom a proxy runs as when the tests are run by root: nobody.
const proxyAccount = 65534

// proxyDir makes a directory that the proxy's account may use.
func proxyDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "proxy") //nolint:usetesting // t.TempDir lies in a directory that is its owner's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, name := range []string{dir, filepath.Join(dir, "spool")} {
		if err := os.MkdirAll(name, 0o700); err != nil {
			t.Fatal(err)
		}
		if os.Geteuid() == 0 {
			if err := os.Chown(name, proxyAccount, proxyAccount); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// run starts the proxy on a free port and returns its address when it listens.
func (m *proxied) run(t *testing.T, dir string, pair *certtest.Files, behind string) (address string, err error) {
	t.Helper()
	address = freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	write := func(name string, data []byte) {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	site, err := os.ReadFile(filepath.Join("test", "e2e", "testdata", "proxies", m.setup.file))
	if err != nil {
		t.Fatal(err)
	}
	chain, key := readFile(t, pair.Chain), readFile(t, pair.Key)
	write("avatars.pem", append(chain, key...)) // HAProxy wants both in one file, nginx does not mind
	write("avatars.key", key)
	changes := map[string]string{"127.0.0.1:8080": behind}
	if m.other != "" {
		changes["127.0.0.1:8081"] = m.other
	}
	args := []string{"-db", "-f", filepath.Join(dir, "site.conf")}
	if m.setup.program == "nginx" {
		changes["listen 443"] = "listen 127.0.0.1:" + port
		changes["/etc/ssl"] = dir
		write("nginx.conf", []byte(strings.ReplaceAll(nginxAround, "DIR", dir)))
		args = []string{"-p", dir, "-e", "stderr", "-c", filepath.Join(dir, "nginx.conf")}
	} else {
		changes["bind :443"] = "bind 127.0.0.1:" + port
		changes["/etc/haproxy"] = dir
	}
	for from, to := range changes {
		if !bytes.Contains(site, []byte(from)) {
			t.Fatalf("%s does not say %q", m.setup.file, from)
		}
		site = bytes.ReplaceAll(site, []byte(from), []byte(to))
	}
	write("site.conf", site)
	if err := runProxy(t, address, Program(t, m.setup.program), args...); err != nil {
		return "", err
	}
	// From here on nginx cannot write a body to a file; it would answer 500.
	return address, os.RemoveAll(filepath.Join(dir, "spool"))
}

// runProxy starts a process and returns when it listens, or why it ended. The test's end is its end.
func runProxy(t *testing.T, address, path string, args ...string) error {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), path, args...)
	said := newTranscript("")
	cmd.Stdout, cmd.Stderr = said, said
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: proxyAccount, Gid: proxyAccount}}
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ctx, ended := context.WithCancelCause(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		ended(fmt.Errorf("it ended (%w):\n%s", cmp.Or(cmd.Wait(), errors.New("status 0")), said))
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-gone
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(path), said)
		}
	})
	for ctx.Err() == nil {
		if conn, err := new(net.Dialer).DialContext(ctx, "tcp", address); err == nil {
			conn.Close()
			return nil
		}
	}
	return context.Cause(ctx)
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// freeAddress returns an address on which nobody listens at the moment.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// send sends a request that has to be answered.
func (m *proxied) send(t *testing.T, version int, req wireRequest) wireAnswer {
	t.Helper()
	a, err := m.exchange(t.Context(), version, req)
	if err != nil {
		t.Fatalf("%s %s: %v", req.method, req.path, err)
	}
	return a
}

// ask sends a request in a form and checks the answer.
func (m *proxied) ask(t *testing.T, f wireForm, req wireRequest, want wanted) verdict {
	t.Helper()
	v, err := f.read(m.send(t, f.version, req))
	if err != nil {
		t.Fatalf("%s %s: the answer is not in the form: %v\n%d %v %q", req.method, req.path, err, v.status, v.header, v.body)
	}
	f.check(t, v, want)
	return v
}

func (m *proxied) bearer() wireField { return wireField{"Authorization", "Bearer " + m.token} }

// portrait is the path of a user's picture for administrators.
func portrait(user string) string { return "/management/v1/users/" + user + "/avatar" }

// picturePath is where everyone reads it.
func picturePath(user string) string {
	return "/assets/v1/" + devidp.OrgAcme + "/users/" + user + "/avatar"
}
