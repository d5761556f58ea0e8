package e2e

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"example.org/avatard/internal/cli"
	"example.org/avatard/internal/config"
	"example.org/avatard/storage"
)

// TestMain runs the tests in the root of the repository, whose pages and commands they are about. A test that this program is
// started again for stays where that starts it.
func TestMain(m *testing.M) {
	becomeProvedServer()
	const root = "../.."
	_, here := os.Stat("go.mod")
	if _, above := os.Stat(root + "/go.mod"); here != nil && above == nil {
		if err := os.Chdir(root); err != nil {
			panic(err)
		}
	}
	if os.Getenv(programArgs) == "" {
		// Programs that are started by tests inherit an ignored SIGHUP (nohup), not one that is received here.
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	os.Exit(m.Run())
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// place is where commands keep their data in place of where their settings say, unless it is nil.
var place func(config.Config) storage.Place

// run runs a command in this process, with what the process reads.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	return (&cli.Program{Environ: environ, Stdin: os.Stdin, Stdout: stdout, Stderr: stderr, Place: place}).Run(ctx, args)
}

// transcript is an output that tells when a text has appeared in it.
type transcript struct {
	mu     sync.Mutex
	buf    bytes.Buffer
	want   string
	seen   chan struct{}
	closed bool
}

func newTranscript(want string) *transcript {
	return &transcript{want: want, seen: make(chan struct{})}
}

func (tr *transcript) Write(p []byte) (int, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.buf.Write(p)
	if !tr.closed && strings.Contains(tr.buf.String(), tr.want) {
		tr.closed = true
		close(tr.seen)
	}
	return len(p), nil
}

func (tr *transcript) String() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.buf.String()
}

// expect makes seen tell of another text.
func (tr *transcript) expect(want string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.want, tr.seen, tr.closed = want, make(chan struct{}), strings.Contains(tr.buf.String(), want)
	if tr.closed {
		close(tr.seen)
	}
}

// await returns when a text has appeared: the log is written beside calls.
func (tr *transcript) await(want string) {
	tr.expect(want)
	<-tr.seen
}

// running is a command that serves until it is stopped.
type running struct {
	t      *testing.T
	out    *transcript // stdout and stderr
	cancel context.CancelFunc
	ended  chan struct{}
	err    error
}

// start runs a command until its output holds ready.
func start(t *testing.T, ready string, environ []string, args ...string) *running {
	t.Helper()
	return startFunc(t, ready, func(ctx context.Context, out io.Writer) error {
		return run(ctx, args, environ, out, out)
	})
}

// startFunc is start for a command that is given as a function.
func startFunc(t *testing.T, ready string, command func(ctx context.Context, out io.Writer) error) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background()) // t.Context would end before the clean-up below
	r := &running{t: t, out: newTranscript(ready), cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		r.err = command(ctx, r.out)
	}()
	t.Cleanup(r.stop)
	select {
	case <-r.out.seen:
	case <-r.ended:
		t.Fatalf("the command ended before it was ready: %v\n%s", r.err, r.out)
	}
	return r
}

// stop ends the command as a signal would. It may be called twice.
func (r *running) stop() {
	r.t.Helper()
	r.cancel()
	<-r.ended
	if r.err != nil {
		r.t.Errorf("the command ended with %v, want nil\n%s", r.err, r.out)
	}
}

// call sends one request without a body and returns status and body of the answer.
func call(t *testing.T, method, url, token string, header ...string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		} else {
			req.Header.Set(header[i], header[i+1])
		}
	}
	tr := &http.Transport{DisableKeepAlives: true} // an idle connection would outlive the server
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return resp.StatusCode, string(data)
}

func wantStatus(t *testing.T, want int, method, url, token string, header ...string) {
	t.Helper()
	if got, body := call(t, method, url, token, header...); got != want {
		t.Errorf("%s %s = %d, want %d: %s", method, url, got, want, body)
	}
}
