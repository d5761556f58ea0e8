package server

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.org/avatard/authz"
	"example.org/avatard/test/client"
)

func TestTimeoutHeaders(t *testing.T) {
	rows := []struct {
		title, name, value string
		form               form
		want               time.Duration
		bad                bool
	}{
		{"none", "", "", formREST, MaxCallDuration, false},
		{"Connect", "Connect-Timeout-Ms", "1500", formConnect, 1500 * time.Millisecond, false},
		{"zero", "Connect-Timeout-Ms", "0", formConnect, 0, false},
		{"longer than the cap", "Connect-Timeout-Ms", "9999999999", formConnect, MaxCallDuration, false},
		{"eleven digits", "Connect-Timeout-Ms", "00000000001", formConnect, MaxCallDuration, true},
		{"sign", "Connect-Timeout-Ms", "-1", formConnect, MaxCallDuration, true},
		{"not of this form", "Connect-Timeout-Ms", "1", formGRPC, MaxCallDuration, false},
		{"gRPC", "Grpc-Timeout", "20m", formGRPC, 20 * time.Millisecond, false},
		{"gRPC, spaces", "Grpc-Timeout", " 2S\t", formGRPCWebText, 2 * time.Second, false},
		{"gRPC, longest", "Grpc-Timeout", "99999999H", formGRPC, MaxCallDuration, false},
		{"gRPC, nine digits", "Grpc-Timeout", "100000000n", formGRPC, MaxCallDuration, true},
		{"gRPC, no digits", "Grpc-Timeout", "S", formGRPC, MaxCallDuration, true},
		{"gRPC, no unit", "Grpc-Timeout", "5", formGRPC, MaxCallDuration, true},
		{"REST takes gRPC's", "Grpc-Timeout", "7u", formREST, 7 * time.Microsecond, false},
		{"REST takes Connect's", "Connect-Timeout-Ms", "7", formREST, 7 * time.Millisecond, false},
	}
	for _, row := range rows {
		t.Run(row.title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				header := http.Header{}
				if row.name != "" {
					header.Set(row.name, row.value)
				}
				c := &call{form: row.form}
				c.begin(t.Context(), header)
				deadline, _ := c.context.Deadline()
				if got := time.Until(deadline); got != row.want || c.badTimeout != row.bad {
					t.Errorf("bound by %v, bad %v; want %v, %v", got, c.badTimeout, row.want, row.bad)
				}
				if row.form != formGRPC && header.Get(row.name) != "" {
					t.Error("the header is left for others to read")
				}
			})
		})
	}
}

// patience is an authenticator that waits until the call ends.
type patience struct{}

func (patience) Authenticate(ctx context.Context, _ http.Header) (authz.Identity, error) {
	<-ctx.Done()
	return authz.Identity{}, ctx.Err()
}

func TestDeadlineBoundsAuthentication(t *testing.T) {
	f := start(t, func(c *Config) { c.Authenticator = patience{} })
	rows := []struct {
		title, header, value string
		want                 time.Duration
	}{
		{"no header", "X-Nothing", "", MaxCallDuration},
		{"a day", "Grpc-Timeout", "24H", MaxCallDuration},
		{"a second", "Connect-Timeout-Ms", "1000", time.Second},
	}
	for _, row := range rows {
		t.Run(row.title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				req := httptest.NewRequestWithContext(t.Context(), http.MethodDelete, "/auth/v1/users/me/avatar", nil)
				req.Header.Set(row.header, row.value)
				rec := httptest.NewRecorder()
				f.server.Handler().ServeHTTP(rec, req)
				if rec.Code != http.StatusGatewayTimeout || !strings.HasPrefix(rec.Body.String(), `{"code":4,`) {
					t.Errorf("%d %s, want 504", rec.Code, rec.Body)
				}
				if took := time.Since(began); took != row.want {
					t.Errorf("answered after %v, want %v", took, row.want)
				}
			})
		})
	}
}

func TestDeadlineInEveryForm(t *testing.T) {
	f := start(t, nil)
	for _, form := range client.Forms() {
		header := "Grpc-Timeout"
		value := "0n"
		if strings.HasPrefix(string(form), "connect") {
			header, value = "Connect-Timeout-Ms", "0"
		}
		got := f.remove(t, form, query{user: alice, headers: bearer("admin-token-1", header, value)})
		if got.Code != 4 {
			t.Errorf("%s: code %v, want 4", form, got.Code)
		}
	}
	if !f.has(t, alice, acme) {
		t.Error("a call without time removed a picture")
	}
}

func TestSlowBodyEndsWithItsCall(t *testing.T) {
	f := start(t, nil)
	for _, client := range []*http.Client{f.http1, f.http2} {
		body, release := slowBody(t)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.url+removeProcedure, body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Authorization": {"Bearer admin-token-1"}, "Content-Type": {"application/json"}, "Connect-Timeout-Ms": {"20"}}
		res, err := client.Do(req)
		release()
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusGatewayTimeout {
			t.Errorf("HTTP/%d: status %d, want 504", res.ProtoMajor, res.StatusCode)
		}
	}
}

// deadlines is an answer that notes the read deadlines of its connection.
type deadlines struct {
	*httptest.ResponseRecorder
	set    []time.Duration
	unread func() int // nil, or how much of the body nobody has read
	ahead  bool       // it was flushed while there was some
}

func (d *deadlines) Flush() {
	d.ahead = d.ahead || d.unread != nil && d.unread() > 0
	d.ResponseRecorder.Flush()
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	d.set = append(d.set, time.Until(at))
	return nil
}

// Once a body is over, net/http waits for the next request, and takes a deadline for the end of the connection: every
// later call on it would be cancelled before it began.
func TestOnlyUnreadBodiesAreLeft(t *testing.T) {
	f := start(t, nil)
	rows := []struct {
		title, token string
		want         int // short deadlines
	}{
		{"read to its end", "admin-token-1", 0},
		{"refused before it was read", "unknown-token-1", 1},
	}
	for _, row := range rows {
		for _, major := range []int{1, 2} {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, removeProcedure, strings.NewReader(`{"userId":"`+bob+`"}`))
			req.ProtoMajor = major
			req.Header = http.Header{"Authorization": {"Bearer " + row.token}, "Content-Type": {"application/json"}}
			answer := &deadlines{ResponseRecorder: httptest.NewRecorder()}
			f.server.Handler().ServeHTTP(answer, req)
			short := slices.DeleteFunc(answer.set, func(d time.Duration) bool { return d > time.Second })
			if len(short) != row.want {
				t.Errorf("%s, HTTP/%d: deadlines %v, want %d", row.title, major, short, row.want)
			}
		}
	}
}

// A stream that is reset while its body is under way can take the answer with it (curl 7.88), so an unread body is read, up to a limit.
// An answer without trailers leaves before that; with gRPC its headers do, for proxies.
func TestUnreadHTTP2BodiesAreReadAfterTheAnswer(t *testing.T) {
	f := start(t, nil)
	rows := []struct {
		title, method, path, token, media string
		size, left                        int
		ahead                             bool
	}{
		{"a REST delete", http.MethodDelete, "/management/v1/users/" + bob + "/avatar", "admin-token-1", "text/plain", 1000, 0, true},
		{"a refused upload", http.MethodPost, "/assets/v1/users/me/avatar", "unknown-token-1", "multipart/form-data; boundary=b", 600_000, 0, true},
		{"one without end", http.MethodPost, "/assets/v1/users/me/avatar", "unknown-token-1", "multipart/form-data; boundary=b",
			maxLeftBytes + 5000, 5000, true},
		{"a refused Connect call", http.MethodPost, removeProcedure, "unknown-token-1", "application/json", 1000, 0, false},
		{"a refused gRPC call", http.MethodPost, removeProcedure, "unknown-token-1", "application/grpc", 1000, 0, true},
	}
	for _, row := range rows {
		body := strings.NewReader(strings.Repeat("x", row.size))
		req := httptest.NewRequestWithContext(t.Context(), row.method, row.path, io.NopCloser(body))
		req.ProtoMajor, req.ProtoMinor, req.ContentLength = 2, 0, int64(row.size)
		req.Header = http.Header{"Authorization": {"Bearer " + row.token}, "Content-Type": {row.media}}
		answer := &deadlines{ResponseRecorder: httptest.NewRecorder(), unread: body.Len}
		f.server.Handler().ServeHTTP(answer, req)
		if body.Len() != row.left || answer.ahead != row.ahead {
			t.Errorf("%s: %d bytes left and flushed ahead %v, want %d and %v", row.title, body.Len(), answer.ahead, row.left, row.ahead)
		}
	}
}
