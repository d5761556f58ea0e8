package e2e

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"example.org/avatard/internal/admin"
	"example.org/avatard/storage"
)

const serveReady = "msg=serving address="

// startServe runs serve on a free port with the provider of dev and returns its URL.
func startServe(t *testing.T, env map[string]string, dir string, args ...string) (*running, string) {
	t.Helper()
	environ := []string{"AVATARD_LISTEN=127.0.0.1:0", "AVATARD_DATA=" + dir}
	for name, value := range env {
		environ = append(environ, name+"="+value)
	}
	r := start(t, serveReady, environ, append([]string{"serve"}, args...)...)
	return r, servedURL(t, r)
}

// servedURL returns the URL that a serve has logged.
func servedURL(t *testing.T, r *running) string {
	t.Helper()
	_, rest, ok := strings.Cut(r.out.String(), serveReady)
	if !ok {
		t.Fatalf("no address in the output:\n%s", r.out)
	}
	return "http://" + strings.Fields(rest)[0]
}

// The environment file of dev is all that serve needs to know about its provider.
func TestServeWithTheProviderOfDev(t *testing.T) {
	_, env := startDev(t)
	dir := filepath.Join(t.TempDir(), "data")
	srv, url := startServe(t, env, dir, "--organisations", env["ORG_ACME"])
	mine := url + "/auth/v1/users/me/avatar"
	alice := url + "/management/v1/users/" + env["USER_ALICE"] + "/avatar"

	wantStatus(t, 200, "GET", url+"/readyz", "")
	wantStatus(t, 200, "GET", url+"/readyz", "", "Host", "avatars.example") // the check of names is dev's alone
	wantStatus(t, 404, "GET", url+"/idp/.well-known/openid-configuration", "")
	const reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
	wantStatus(t, 505, "POST", url+reflection, "", "Content-Type", "application/connect+proto") // a stream, for which HTTP/1.1 has no room
	wantStatus(t, 401, "DELETE", mine, "")
	wantStatus(t, 404, "DELETE", mine, env["TOKEN_ALICE"]) // nobody is registered yet
	wantOutput(t, "user "+env["USER_ALICE"]+" added\n", "user", "add", env["USER_ALICE"], "--org", env["ORG_ACME"], "--data", dir)
	wantStatus(t, 200, "DELETE", mine, env["TOKEN_ALICE"])
	wantStatus(t, 200, "DELETE", alice, env["TOKEN_MANAGER"])
	wantStatus(t, 200, "DELETE", alice, env["TOKEN_MANAGER"], "X-Zitadel-Orgid", env["ORG_ACME"]) // registered at start
	wantStatus(t, 403, "DELETE", alice, env["TOKEN_MANAGER"], "X-Zitadel-Orgid", env["ORG_GLOBEX"])
	wantStatus(t, 403, "DELETE", alice, env["TOKEN_ADMIN"]) // no instance-wide role unless configured
	srv.stop()

	// The same data, with the role of dev's administrator configured. The record is still there.
	srv, url = startServe(t, env, dir, "--authz-instance-organisation", env["ORG_ACME"], "--authz-instance-roles", "IAM_OWNER=user.write", "--reflection=false")
	wantStatus(t, 404, "POST", url+reflection, "", "Content-Type", "application/connect+proto")
	wantStatus(t, 200, "DELETE", url+"/management/v1/users/"+env["USER_ALICE"]+"/avatar", env["TOKEN_ADMIN"])
	srv.stop()
	for name, value := range env {
		if (strings.HasPrefix(name, "TOKEN_") || strings.HasSuffix(name, "SECRET")) && strings.Contains(srv.out.String(), value) {
			t.Errorf("%s is in the output:\n%s", name, srv.out)
		}
	}
}

// providerless is a configuration whose provider is down for good.
func providerless(t *testing.T) map[string]string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	return map[string]string{
		"AVATARD_ISSUER": "http://" + ln.Addr().String(), "AVATARD_AUDIENCE": "a",
		"AVATARD_CLIENT_ID": "c", "AVATARD_CLIENT_SECRET": "planted-secret",
	}
}

func TestServeStartsWhileTheProviderIsDown(t *testing.T) {
	srv, url := startServe(t, providerless(t), t.TempDir(), "--log-level", "info")
	wantStatus(t, 200, "GET", url+"/readyz", "")
	wantStatus(t, 503, "DELETE", url+"/auth/v1/users/me/avatar", "some-token")
	srv.stop()
	for _, secret := range []string{"planted-secret", "some-token"} {
		if strings.Contains(srv.out.String(), secret) {
			t.Errorf("%s is in the output:\n%s", secret, srv.out)
		}
	}
}

func TestServeRefusesASecondProcess(t *testing.T) {
	dir := t.TempDir()
	store := openStore(t, dir)
	defer store.Close()
	wantFailure(t, storage.ErrInUse.Error(), "serve", "--data", dir, "--listen", "127.0.0.1:0",
		"--issuer", "https://id.example", "--audience", "a", "--client-id", "c", "--client-secret", "s")
	if _, err := os.Lstat(filepath.Join(dir, admin.SocketName)); err == nil {
		t.Error("the refused server left a socket")
	}
}

// When the port is taken nothing is left behind: neither socket nor lock.
func TestServeCleansUpWhenItCannotListen(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dir := t.TempDir()
	wantFailure(t, "listening", "serve", "--data", dir, "--listen", ln.Addr().String(),
		"--issuer", "https://id.example", "--audience", "a", "--client-id", "c", "--client-secret", "s")
	wantOutput(t, "organisation acme added\n", "org", "add", "acme", "--data", dir)
	if _, err := os.Lstat(filepath.Join(dir, admin.SocketName)); err == nil {
		t.Error("the socket is still there")
	}
}

// A call that is under way when the signal comes is answered.
func TestServeLetsCallsEnd(t *testing.T) {
	asked := make(chan struct{})
	var once sync.Once
	answer := make(chan struct{})
	provider := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("token") == "token" { // the server tries the provider with one of its own, too
			once.Do(func() { close(asked) })
		}
		<-answer
		w.WriteHeader(http.StatusInternalServerError)
	})}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go provider.Serve(ln)
	defer provider.Close()
	env := providerless(t)
	env["AVATARD_ISSUER"] = "http://" + ln.Addr().String()
	srv, url := startServe(t, env, t.TempDir(), "--introspection-timeout", "30s", "--introspection-endpoint", "http://"+ln.Addr().String()+"/introspect")

	done := make(chan int)
	go func() {
		defer close(done) // if there is no answer
		status, _ := call(t, "DELETE", url+"/auth/v1/users/me/avatar", "token")
		done <- status
	}()
	<-asked
	srv.cancel()
	for refused := false; !refused; { // until it no longer listens, it has not begun to shut down
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if refused = err != nil; !refused {
			conn.Close()
		}
	}
	close(answer)
	if status := <-done; status != http.StatusServiceUnavailable {
		t.Errorf("the call under way was answered %d, want %d of a provider that fails", status, http.StatusServiceUnavailable)
	}
	srv.stop()
}

// The setting reaches the connections.
func TestIdleTimeoutSetting(t *testing.T) {
	_, url := startServe(t, providerless(t), t.TempDir(), "--limits-idle-timeout", "1s")
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn) // to the end of the connection
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 OK\r\n") || strings.Contains(string(answer), "Connection: close") {
		t.Errorf("%q, %v, want an answer and then the end of the connection", answer, err)
	}
}
