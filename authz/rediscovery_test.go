package authz

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// movingProvider is a provider without a network. Its discovery document names one endpoint, and one answers.
type movingProvider struct {
	named, answers string
	// refused: the endpoint that does not answer has nobody listening. Otherwise it is 404.
	refused bool
	// hangs: no endpoint says anything.
	hangs bool
	// asked counts requests by path.
	asked map[string]int
}

func (p *movingProvider) RoundTrip(req *http.Request) (*http.Response, error) {
	p.asked[req.URL.Path]++
	if p.hangs {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	status, body := http.StatusOK, claims(map[string]any{"exp": time.Now().Add(time.Hour).Unix(), "nbf": nil})
	switch req.URL.Path {
	case "/.well-known/openid-configuration":
		body = `{"issuer":"https://id.example","introspection_endpoint":"https://id.example` + p.named + `"}`
	case p.answers:
	default:
		if p.refused {
			return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
		}
		status = http.StatusNotFound
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
}

func (p *movingProvider) discoveries() int { return p.asked["/.well-known/openid-configuration"] }

// introspector returns one that keeps nothing and has found the provider.
func (p *movingProvider) introspector(t *testing.T, log io.Writer) *Introspector {
	t.Helper()
	in, err := NewIntrospector(IntrospectionConfig{Issuer: "https://id.example", ClientID: "client", ClientSecret: "client-secret", Audience: "avatars",
		HTTPClient: &http.Client{Transport: p}, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	p.try(t, in, true)
	return in
}

// try asks about a token and waits for what that sets off. It comes a second after the one before, so that nothing is
// answered from the memory of tokens that failed.
func (p *movingProvider) try(t *testing.T, in *Introspector, good bool) {
	t.Helper()
	time.Sleep(failedFor)
	_, err := in.Authenticate(t.Context(), bearer(testToken))
	if good && err != nil || !good && !errors.Is(err, ErrUnavailable) {
		t.Errorf("Authenticate = %v, want it to be known: %v", err, good)
	}
	synctest.Wait()
}

func TestProviderMoves(t *testing.T) {
	for _, refused := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := &movingProvider{named: "/old", answers: "/old", refused: refused, asked: make(map[string]int)}
			log := new(lockedBuffer)
			in := p.introspector(t, log)
			time.Sleep(rediscoverEvery)
			p.named, p.answers = "/new", "/new"
			for range rediscoverAfter {
				p.try(t, in, false)
			}
			p.try(t, in, true)
			if p.discoveries() != 2 || p.asked["/old"] != 1+rediscoverAfter || p.asked["/new"] != 1 {
				t.Errorf("connection refused: %v: asked %v", refused, p.asked)
			}
			if !strings.Contains(log.String(), "another endpoint") || strings.Contains(log.String(), "/new") {
				t.Errorf("the log does not tell, or tells what the provider said:\n%s", log.String())
			}
		})
	}
}

func TestWhenDiscoveryIsRepeated(t *testing.T) {
	for _, row := range []struct {
		why  string
		do   func(*testing.T, *movingProvider, *Introspector)
		want int // discoveries, with the first
	}{
		{"an endpoint that answers", func(t *testing.T, p *movingProvider, in *Introspector) {
			for range 20 {
				p.try(t, in, true)
			}
		}, 1},
		{"failures with answers between them", func(t *testing.T, p *movingProvider, in *Introspector) {
			for range 5 {
				p.answers = "/nowhere"
				for range rediscoverAfter - 1 {
					p.try(t, in, false)
				}
				p.answers = "/old"
				p.try(t, in, true)
			}
		}, 1},
		{"callers who left", func(t *testing.T, p *movingProvider, in *Introspector) {
			p.hangs = true
			for range 2 * rediscoverAfter {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				if _, err := in.Authenticate(ctx, bearer(testToken)); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Authenticate = %v, want the end of the caller", err)
				}
				cancel()
			}
			synctest.Wait()
		}, 1},
		{"one that fails, less than a minute long", func(t *testing.T, p *movingProvider, in *Introspector) {
			p.answers = "/nowhere"
			for range 59 {
				p.try(t, in, false)
			}
		}, 2},
		{"and five minutes long", func(t *testing.T, p *movingProvider, in *Introspector) {
			p.answers = "/nowhere"
			for range 300 {
				p.try(t, in, false)
			}
		}, 6},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &movingProvider{named: "/old", answers: "/old", asked: make(map[string]int)}
			in := p.introspector(t, io.Discard)
			time.Sleep(rediscoverEvery)
			row.do(t, p, in)
			if got := p.discoveries(); got != row.want {
				t.Errorf("%s: %d discoveries, want %d", row.why, got, row.want)
			}
		})
	}
}

// What is known stays in use while discovery names something that must not be used, and what was right comes back.
func TestRediscoveryThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &movingProvider{named: "/old", answers: "/old", asked: make(map[string]int)}
		in := p.introspector(t, io.Discard)
		time.Sleep(rediscoverEvery)
		p.answers, p.named = "/nowhere", `","issuer":"https://evil.example`
		for range 2 * rediscoverAfter {
			p.try(t, in, false)
		}
		p.answers = "/old"
		p.try(t, in, true)
		if p.discoveries() != 2 {
			t.Errorf("%d discoveries, want 2", p.discoveries())
		}
	})
}
