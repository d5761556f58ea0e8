package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// serve shows what it did on the second listener and nowhere else.
func TestServeShowsMetrics(t *testing.T) {
	_, env := startDev(t)
	srv, url := startServe(t, env, t.TempDir(), "--organisations", env["ORG_ACME"], "--metrics-listen", ":0")
	_, rest, ok := strings.Cut(srv.out.String(), `msg="showing metrics" address=`)
	if !ok {
		t.Fatalf("no address of the metrics in the output:\n%s", srv.out)
	}
	address := strings.Fields(rest)[0]
	if !strings.HasPrefix(address, "127.0.0.1:") {
		t.Errorf("metrics are on %s, want an empty host to mean this machine", address)
	}
	wantStatus(t, 404, "DELETE", url+"/management/v1/users/nobody/avatar", env["TOKEN_MANAGER"])
	wantStatus(t, 404, "DELETE", url+"/management/v1/users/nobody/avatar", env["TOKEN_MANAGER"])
	wantStatus(t, 404, "GET", url+"/metrics", "")
	wantStatus(t, 404, "GET", url+"/debug/pprof/heap", "")

	res, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`avatard_calls_total{code="not_found",form="rest",procedure="/zitadel.management.v1.ManagementService/RemoveHumanAvatar"} 2`,
		`avatard_calls_total{code="not_found",form="http",procedure=""} 2`,
		`avatard_provider_questions_total{outcome="answered",question="discovery"} 1`,
		`avatard_provider_questions_total{outcome="answered",question="introspection"} 1`,
		`avatard_token_cache_lookups_total{result="hit"} 1`,
		`avatard_token_cache_entries{kind="accepted"} 1`,
		`avatard_provider_questions_in_flight 0`,
		`avatard_erasures_pending 0`,
		`avatard_storage_slab_bytes 4096`,
		`avatard_build_info{version="`,
	} {
		if !strings.Contains(string(text), "\n"+want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	for _, secret := range []string{env["TOKEN_MANAGER"], env["ORG_ACME"], "nobody"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the metrics hold %q", secret)
		}
	}
	srv.stop()
	if _, err := http.Get("http://" + address + "/metrics"); err == nil {
		t.Error("the metrics are still there when the server has stopped")
	}
}

// collector takes traces.
type collector struct {
	mu       sync.Mutex
	requests int
	bodies   strings.Builder
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.URL.Path == "/v1/traces" && r.Header.Get("Content-Type") == "application/x-protobuf" {
		c.requests++
		c.bodies.Write(body)
	}
}

// serve sends traces when it is told to, at the latest when it ends, and they name procedures and nobody.
func TestServeSendsTraces(t *testing.T) {
	c := &collector{}
	there := httptest.NewServer(c)
	defer there.Close()
	_, env := startDev(t)
	srv, url := startServe(t, env, t.TempDir(), "--organisations", env["ORG_ACME"], "--tracing-endpoint", there.URL)
	wantStatus(t, 404, "DELETE", url+"/management/v1/users/nobody/avatar", env["TOKEN_MANAGER"])
	srv.stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	text := c.bodies.String()
	for _, want := range []string{"zitadel.management.v1.ManagementService/RemoveHumanAvatar", "storage.Remove", "avatard"} {
		if !strings.Contains(text, want) {
			t.Errorf("the traces lack %q (%d requests, %d bytes)", want, c.requests, len(text))
		}
	}
	for _, secret := range []string{env["TOKEN_MANAGER"], env["ORG_ACME"], "nobody"} {
		if strings.Contains(text, secret) {
			t.Errorf("the traces hold %q", secret)
		}
	}
}

// A collector that is not there costs no call anything; the log says so once the last traces are lost.
func TestServeWithoutItsCollector(t *testing.T) {
	there := httptest.NewServer(http.NotFoundHandler())
	there.Close()
	_, env := startDev(t)
	srv, url := startServe(t, env, t.TempDir(), "--organisations", env["ORG_ACME"], "--tracing-endpoint", there.URL)
	wantStatus(t, 404, "DELETE", url+"/management/v1/users/nobody/avatar", env["TOKEN_MANAGER"])
	srv.stop()
	if !strings.Contains(srv.out.String(), "traces could not be sent") {
		t.Errorf("the log does not say that traces were lost:\n%s", srv.out)
	}
}
