//go:build unix

package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// pageClients are the clients of test/e2e/testdata/clients/page.js.
var pageClients = []string{
	"fetch",
	"connect-web Connect JSON", "connect-web Connect", "connect-web gRPC-Web",
	"grpc-web binary", "grpc-web text",
}

// visit is one page that the browser opens, and what it does there.
type visit struct {
	URL     string `json:"url"`
	Sandbox bool   `json:"sandbox"` // in a frame without an origin
	Run     string `json:"run"`     // the function of page.js
	Plan    any    `json:"plan"`
}

// visited is what a page tells.
type visited struct {
	Origin  string          `json:"origin"`
	Answers json.RawMessage `json:"answers"`
}

// pageRequests are requests that a page sends with fetch.
type pageRequests struct {
	URL      string        `json:"url"`
	Requests []pageRequest `json:"requests"`
}

type pageRequest struct {
	Step    string            `json:"step"`
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Headers map[string]string `json:"headers,omitempty"`
	Image   int               `json:"image"`   // > 0: uploads a square of that many pixels a side
	Garbage int               `json:"garbage"` // > 0: uploads that many bytes
}

// pageAnswer is what the page can see of an answer.
type pageAnswer struct {
	Step    string            `json:"step"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body"` // of a picture: its size
	Failed  string            `json:"failed"`
}

// browse opens one page after the other in a new browser. Every *.example is this machine.
func browse(t *testing.T, node, dir string, visits ...visit) []visited {
	t.Helper()
	told := tell[visited](t, map[string]any{
		"executable": Program(t, "chromium"),
		"resolve":    "MAP *.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
		"pages":      visits,
	}, node, filepath.Join(dir, "browser.js"))
	if len(told) != len(visits) {
		t.Fatalf("%d pages tell something, want %d", len(told), len(visits))
	}
	for i, v := range visits {
		want := strings.TrimSuffix(v.URL, "/")
		if v.Sandbox {
			want = "null"
		}
		if told[i].Origin != want {
			t.Fatalf("page %d has the origin %s, want %s", i, told[i].Origin, want)
		}
	}
	return told
}

func answersOf[Answer any](t *testing.T, v visited) []Answer {
	t.Helper()
	var answers []Answer
	if err := json.Unmarshal(v.Answers, &answers); err != nil || len(answers) == 0 {
		t.Fatalf("a page answers %s: %v", v.Answers, err)
	}
	return answers
}

// servePages serves the page for any host name and returns the URL for one.
func servePages(t *testing.T, dir string) func(host string) string {
	t.Helper()
	bundle := filepath.Join(dir, "bundle.js")
	esbuild := filepath.Join(dir, "node_modules", ".bin", "esbuild")
	cmd := exec.CommandContext(t.Context(), esbuild, "--bundle", "--format=iife", "--outfile="+bundle, filepath.Join(dir, "page.js"))
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("esbuild: %v\n%s", err, output)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write([]byte(`<!doctype html><title>A page</title><link rel="icon" href="data:,"><script src="/bundle.js"></script>`))
		case "/bundle.js":
			http.ServeFile(w, r, bundle)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	at, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	return func(host string) string { return "http://" + host + ":" + at.Port() + "/" }
}

// Against dev a page of another loopback port may do everything; against serve only those that are configured may.
// Pages of other origins, and those without one, may do nothing. Pictures are stored in the colours that the browser shows of uploads.
func TestBrowser(t *testing.T) {
	node, dir := npmClients(t)
	pages := servePages(t, dir)
	_, env := startDev(t, "--seed-users", "6", "--seed-bytes", "900")
	_, served := startServe(t, providerless(t), t.TempDir(), "--cors-origins", strings.TrimSuffix(pages("app.example"), "/"),
		"--cors-headers", "X-App-Version,sentry-trace")

	plan := newClientPlan(t, env, pageClients)
	removal := plan
	removal.Calls = plan.Calls[:1]
	life, wantLife := pictureLife(env)
	simple, wantSimple := simpleRequests(env)
	down, wantDown := refusedForNow(served)
	coloured := colouredPictures(t)
	told := browse(t, node, dir,
		visit{URL: pages("evil.example"), Run: "removals", Plan: removal},
		visit{URL: pages("evil.example"), Run: "requests", Plan: simple},
		visit{URL: pages("127.0.0.1"), Sandbox: true, Run: "removals", Plan: removal},
		visit{URL: pages("127.0.0.1"), Sandbox: true, Run: "requests", Plan: simple},
		visit{URL: pages("127.0.0.1"), Run: "requests", Plan: down},
		visit{URL: pages("app2.example"), Run: "requests", Plan: down},
		visit{URL: pages("app.example"), Run: "requests", Plan: down},
		visit{URL: pages("127.0.0.1"), Run: "requests", Plan: simple},
		visit{URL: pages("127.0.0.1"), Run: "requests", Plan: life},
		visit{URL: pages("127.0.0.1"), Run: "removals", Plan: plan},
		visit{URL: pages("127.0.0.1"), Run: "pixels", Plan: coloured},
	)
	for _, v := range []visited{told[0], told[2]} {
		lines := answersOf[clientLine](t, v)
		for _, line := range lines {
			wantBlocked(t, v.Origin+", "+line.Client, line.Failed)
		}
		if len(lines) != len(pageClients) {
			t.Errorf("page of %s: %d lines, want %d", v.Origin, len(lines), len(pageClients))
		}
	}
	for _, v := range []visited{told[1], told[3], told[4], told[5]} {
		for _, answer := range answersOf[pageAnswer](t, v) {
			wantBlocked(t, v.Origin+", "+answer.Step, answer.Failed)
		}
	}
	checkPageAnswers(t, wantDown, answersOf[pageAnswer](t, told[6]))
	checkPageAnswers(t, wantSimple, answersOf[pageAnswer](t, told[7]))
	checkPageAnswers(t, wantLife, answersOf[pageAnswer](t, told[8]))
	// Each user is removed for the first time: the foreign pages' calls never came to be.
	plan.check(t, env, answersOf[clientLine](t, told[9]))
	checkColours(t, coloured, answersOf[[]byte](t, told[10]))
}

// wantBlocked checks that the browser has kept a request or its answer from the page.
func wantBlocked(t *testing.T, title, failed string) {
	t.Helper()
	// The words of Chromium, and those of grpc-web for a request without an answer.
	if !strings.HasSuffix(failed, "Failed to fetch") && !strings.HasSuffix(failed, "http status code: 0") {
		t.Errorf("page of %s: %q, want that the browser blocks it", title, failed)
	}
}
