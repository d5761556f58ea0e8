//go:build unix

package e2e

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Between the first signal and the end of listening the server serves and says that it is not ready; another signal ends
// that time, and so does the clock.
func TestShutdownDelay(t *testing.T) {
	becomeProgram()
	args := serveArgs(t, filepath.Join(t.TempDir(), "data"))
	p := startProcess(t, nil, append(args, "--shutdown-delay", "10m")...)
	url := p.serving()
	wantStatus(t, 200, "GET", url+"/readyz", "")
	if got := healthStatus(t, url); got != `{"status":"SERVING_STATUS_SERVING"}` {
		t.Errorf("before a signal the health service says %s", got)
	}
	p.signal(syscall.SIGTERM, "not ready any more")
	if status, body := call(t, "GET", url+"/readyz", ""); status != 503 || body != "not ready: shutdown\n" {
		t.Errorf("/readyz = %d %q, want 503", status, body)
	}
	if got := healthStatus(t, url); got != `{"status":"SERVING_STATUS_NOT_SERVING"}` {
		t.Errorf("after a signal the health service says %s", got)
	}
	wantStatus(t, 200, "GET", url+"/healthz", "")
	wantStatus(t, 401, "DELETE", url+"/auth/v1/users/me/avatar", "")
	p.stop()
	if !strings.Contains(p.out.String(), "msg=\"shutting down\"") {
		t.Errorf("the second signal was no orderly end:\n%s", p.out)
	}

	p = startProcess(t, nil, append(args, "--shutdown-delay", "1ms")...)
	p.serving()
	p.stop() // one signal
	if !strings.Contains(p.out.String(), "msg=\"shutting down\"") {
		t.Errorf("a delay that passes was no orderly end:\n%s", p.out)
	}
}

// healthStatus asks the health service over Connect.
func healthStatus(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Post(url+"/grpc.health.v1.Health/Check", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
