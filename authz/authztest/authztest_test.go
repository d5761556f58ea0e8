package authztest_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"example.org/avatard/authz/authztest"
)

// recorder is a test that may fail, and that ends with end.
type recorder struct {
	*testing.T
	faults []string
	ends   []func()
}

func (r *recorder) Errorf(format string, args ...any) {
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}
func (r *recorder) Cleanup(f func()) { r.ends = append(r.ends, f) }

func (r *recorder) end() []string {
	for _, end := range r.ends {
		end()
	}
	return r.faults
}

// A caller that does what none may do fails the test; one that takes errors for errors does not.
func TestWhatNoCallerMayDo(t *testing.T) {
	for _, row := range []struct {
		why    string
		fault  func(*authztest.Server) http.HandlerFunc
		client http.Client
		want   int
	}{
		{"nothing fails", func(*authztest.Server) http.HandlerFunc { return nil }, http.Client{}, 0},
		{"a redirect that is followed", func(s *authztest.Server) http.HandlerFunc { return s.Redirect(302) }, http.Client{}, 1},
		{"one that is not", func(s *authztest.Server) http.HandlerFunc { return s.Redirect(302) },
			http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, 0},
		{"a flood read to its end", func(s *authztest.Server) http.HandlerFunc { return s.Flood }, http.Client{}, 1},
	} {
		r := &recorder{T: t}
		p := authztest.New(r, nil)
		p.Misbehave("/openid-configuration", row.fault(p.Server))
		res, err := row.client.Get(p.Issuer + "/.well-known/openid-configuration")
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if got := r.end(); len(got) != row.want {
			t.Errorf("%s: %q, want %d faults", row.why, got, row.want)
		}
	}
}

func TestServerFails(t *testing.T) {
	p := authztest.New(t, nil)
	status := func() int {
		res, err := http.Get(p.Issuer + "/.well-known/openid-configuration")
		if err != nil {
			return 0
		}
		res.Body.Close()
		return res.StatusCode
	}
	for _, step := range []struct {
		what string
		do   func()
		want int
	}{
		{"well", func() {}, 200},
		{"a status", func() { p.Misbehave("", authztest.Reply(503, "text/plain", "")) }, 503},
		{"a cut connection", func() { p.Misbehave("", authztest.Reset) }, 0},
		{"no port", func() { p.Misbehave("", nil); p.ClosePort() }, 0},
		{"the port again", func() { p.OpenPort(t) }, 200},
	} {
		step.do()
		if got := status(); got != step.want {
			t.Errorf("%s: status %d, want %d", step.what, got, step.want)
		}
	}
	if n := p.Requests("/openid-configuration"); n < 4 {
		t.Errorf("%d requests counted, want 4 or, as net/http tries again, more", n)
	}
}
