package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"example.org/avatard/authz"
	"example.org/avatard/server/internal/connections"
	"example.org/avatard/server/picture"
)

// endSeen is an authenticator that waits until the end of the caller's data was seen, or the call has ended.
type endSeen struct{ tokens }

func (e endSeen) Authenticate(ctx context.Context, header http.Header) (authz.Identity, error) {
	for conn := connections.Of(ctx); !conn.HoldsEnd(); runtime.Gosched() {
		if ctx.Err() != nil {
			return authz.Identity{}, ctx.Err()
		}
	}
	return e.tokens.Authenticate(ctx, header)
}

// A client that has sent everything, closes that direction and waits gets its answer: it may still be there.
func TestHalfClosedClientsAreAnswered(t *testing.T) {
	for _, secure := range []bool{false, true} {
		s := startWire(t, secure, func(c *Config) { c.Authenticator = endSeen{tokens(people())} })
		for _, request := range []string{
			"DELETE /management/v1/users/" + alice + "/avatar HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token-1\r\n\r\n",
			"DELETE /auth/v1/users/me/avatar HTTP/1.0\r\nAuthorization: Bearer alice-token-1\r\n\r\n",
			"GET /assets/v1/users/me/avatar HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer viewer-token-1\r\n\r\n",
		} {
			conn, tcp := s.dial(t)
			if _, err := io.WriteString(conn, request); err != nil {
				t.Fatal(err)
			}
			end := conn.(interface{ CloseWrite() error }) // of TLS, where there is some
			if err := end.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if err := tcp.CloseWrite(); err != nil && !secure {
				t.Fatal(err)
			}
			want := http.StatusOK
			if request[0] == 'G' {
				want = http.StatusNotFound
			}
			answers := bufio.NewReader(conn)
			res, err := http.ReadResponse(answers, nil)
			if err != nil || res.StatusCode != want {
				t.Fatalf("TLS %v, %.20q: %v, %v, want %d", secure, request, res, err, want)
			}
			if rest, err := io.ReadAll(res.Body); err != nil {
				t.Fatalf("%q, %v", rest, err)
			}
			if _, err := answers.ReadByte(); err != io.EOF {
				t.Errorf("after the answer: %v, want the end of the connection", err)
			}
			conn.Close()
			s.emptied()
		}
	}
}

// The same for an upload, whose end comes once its body was read. One that ends in the middle of its body has gone.
func TestHalfClosedUploads(t *testing.T) {
	for _, secure := range []bool{false, true} {
		s := startWire(t, secure, nil)
		for _, row := range []struct{ missing, want int }{{0, 200}, {10, 499}} {
			whole, media := formOf("file", picture.Sample(1, 300<<10))
			conn, tcp := s.dial(t)
			_, err := fmt.Fprintf(conn, "POST /assets/v1/users/me/avatar HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer alice-token-1\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
				media, whole.Len(), whole.Bytes()[:whole.Len()-row.missing])
			if err == nil {
				err = tcp.CloseWrite()
			}
			if err != nil {
				t.Fatal(err)
			}
			if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || res.StatusCode != row.want {
				t.Errorf("TLS %v, %d bytes missing: %v, %v, want %d", secure, row.missing, res, err, row.want)
			}
			conn.Close()
			s.emptied()
		}
	}
}

// A client that resets the connection has gone: its call is cancelled.
func TestResetCancels(t *testing.T) {
	began := make(chan struct{}, 1)
	cancelled := make(chan error, 1)
	s := startWire(t, false, func(c *Config) {
		c.Authenticator = authenticatorFunc(func(ctx context.Context) (authz.Identity, error) {
			began <- struct{}{}
			<-ctx.Done()
			cancelled <- ctx.Err()
			return authz.Identity{}, ctx.Err()
		})
	})
	conn, tcp := s.dial(t)
	if _, err := io.WriteString(conn, "DELETE /auth/v1/users/me/avatar HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-began
	if err := tcp.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	tcp.Close()
	if err := <-cancelled; err != context.Canceled { //nolint:errorlint // the value itself
		t.Errorf("the call ended with %v, want that it was cancelled", err)
	}
	s.emptied()
}

// The call of a half-closed client ends with its connection when that gives way to another one.
func TestAbortCancelsHalfClosed(t *testing.T) {
	began := make(chan *connections.Conn, 1)
	cancelled := make(chan error, 1)
	s := startWire(t, false, func(c *Config) {
		c.Authenticator = authenticatorFunc(func(ctx context.Context) (authz.Identity, error) {
			began <- connections.Of(ctx)
			<-ctx.Done()
			cancelled <- ctx.Err()
			return authz.Identity{}, ctx.Err()
		})
	})
	client, tcp := s.dial(t)
	_, err := io.WriteString(client, "DELETE /auth/v1/users/me/avatar HTTP/1.1\r\nHost: x\r\nConnect-Timeout-Ms: 2000\r\nAuthorization: Bearer t\r\n\r\n")
	if err == nil {
		err = tcp.CloseWrite()
	}
	if err != nil {
		t.Fatal(err)
	}
	conn := <-began
	for !conn.HoldsEnd() {
		runtime.Gosched()
	}
	conn.Abort()
	if err := <-cancelled; err != context.Canceled { //nolint:errorlint // the value itself
		t.Errorf("the call ended with %v, want that it was cancelled", err)
	}
	s.emptied()
}

type authenticatorFunc func(context.Context) (authz.Identity, error)

func (f authenticatorFunc) Authenticate(ctx context.Context, _ http.Header) (authz.Identity, error) {
	return f(ctx)
}

// A client that has gone without a reset keeps its connection for as long as its call may take, and no longer.
func TestCallsOfWhoLeftEndByTheirDeadline(t *testing.T) {
	for header, want := range map[string]time.Duration{"X-Nothing: 1": MaxCallDuration, "Connect-Timeout-Ms: 1500": 1500 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			s, err := New(Config{Store: &shelfStore{}, Issuer: issuer, Authenticator: patience{}, Permissions: authz.NewClaims(authz.DefaultPolicy())})
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan time.Time, 1)
			server := serveFrames(t, func(w http.ResponseWriter, r *http.Request) {
				s.Handler().ServeHTTP(w, r)
				ended <- time.Now()
			}, false)
			conn := server.connect(t)
			began := time.Now()
			if _, err := io.WriteString(conn, "DELETE /auth/v1/users/me/avatar HTTP/1.1\r\nHost: x\r\n"+header+"\r\nAuthorization: Bearer t\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()
			if took := (<-ended).Sub(began); took != want {
				t.Errorf("%s: the call took %v, want %v", header, took, want)
			}
			synctest.Wait() // and the connection: the end of the test waits for it
		})
	}
}
