package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const secret = "token-that-nobody-may-see"

// served answers calls by a function and returns a client of it that waits for nothing, and how long it would have waited.
func served(t *testing.T, tokens Tokens, handle http.HandlerFunc) (*Client, *[]time.Duration) {
	t.Helper()
	srv := httptest.NewServer(handle)
	waits := new([]time.Duration)
	c := New(Config{URL: srv.URL, Tokens: tokens, Timeout: time.Minute, Wait: func(_ context.Context, d time.Duration) error {
		*waits = append(*waits, d)
		if len(*waits) > 3 {
			return context.DeadlineExceeded
		}
		return nil
	}})
	t.Cleanup(func() {
		c.Close()
		srv.Close()
	})
	return c, waits
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"http://127.0.0.1:8080/": "http://127.0.0.1:8080", "http://localhost:1": "http://localhost:1", "http://[::1]:1": "http://[::1]:1",
		"https://a.example/avatars/": "https://a.example/avatars", "https://a.example": "https://a.example",
		"http://a.example": "", "http://127.0.0.1.a.example": "", "http://10.0.0.1": "", "ftp://a.example": "", "a.example": "", "": "",
		"https://u:p@a.example": "", "https://a.example?x": "", "https://a.example#x": "",
	} {
		if got, err := Address(text, false); got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v, want %q", text, got, err, want)
		}
	}
	if got, err := Address("http://avatard:8080", true); got != "http://avatard:8080" || err != nil {
		t.Errorf("where it is allowed: %q, %v", got, err)
	}
}

// Every answer has a kind, by which commands choose their exit codes; no text has the token, nor what a terminal would act on.
func TestKindsOfAnswers(t *testing.T) {
	const refused = `{"code":5,"message":"\u001b[31mno %s (X)","details":[{"@type":"…","id":"%s","message":""}]}`
	for _, row := range []struct {
		status int
		id     string
		want   error
	}{
		{401, "AUTH-7fs1e", ErrNotPermitted}, {403, "AUTH-5mWD2", ErrNotPermitted}, {404, "AUTHZ-cdgFk", ErrNotPermitted},
		{404, "USER-35N8f", ErrNotFound}, {404, "", nil}, {404, "ELSE-1", nil},
		{400, "", ErrRefused}, {413, "", ErrRefused}, {415, "", ErrRefused}, {412, "", ErrConditionFailed}, {412, "", ErrRefused},
		{429, "", ErrUnreachable}, {502, "", ErrUnreachable}, {503, "", ErrUnreachable}, {504, "", ErrUnreachable}, {500, "", nil},
	} {
		c, _ := served(t, FixedToken(secret), func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(row.status)
			fmt.Fprintf(w, refused, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), row.id)
		})
		_, err := c.Remove(t.Context(), Target{User: "alice"})
		for _, kind := range []error{ErrNotPermitted, ErrNotFound, ErrRefused, ErrUnreachable} {
			if want := errors.Is(row.want, kind); errors.Is(err, kind) != want {
				t.Errorf("%d %s is %v, want %v", row.status, row.id, err, row.want)
			}
		}
		if text := fmt.Sprint(err); strings.Contains(text, secret) || strings.ContainsAny(text, "\x1b\n") || !strings.Contains(text, "no [token]") {
			t.Errorf("%d: the error is %q", row.status, text)
		}
	}
}

// What is no avatard has done nothing, whatever its status is.
func TestOtherServers(t *testing.T) {
	for _, row := range []struct {
		status int
		body   string
		want   string
		kind   error
	}{
		{200, "<html>welcome</html>", "not as avatard does", nil},
		{200, `{"details":{}}`, "not as avatard does", nil},
		{404, "404 page not found", "answered 404", nil},
		{302, "", "redirects are not followed", nil},
		{502, "<html>", "answered 502", ErrUnreachable},
	} {
		calls := 0
		c, _ := served(t, FixedToken(secret), func(w http.ResponseWriter, _ *http.Request) {
			calls++
			if row.status == 302 {
				w.Header().Set("Location", "http://elsewhere.example/path?secret=1")
			}
			w.WriteHeader(row.status)
			_, _ = io.WriteString(w, row.body)
		})
		_, err := c.Remove(t.Context(), Target{User: Me})
		if err == nil || !strings.Contains(err.Error(), row.want) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnreachable) != (row.kind != nil) || calls != 1 {
			t.Errorf("%d %s: %v after %d calls, want %q", row.status, row.body, err, calls, row.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret=1") {
			t.Errorf("the error repeats the query of a redirect: %v", err)
		}
	}
	c, _ := served(t, nil, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
	if _, err := c.Get(t.Context(), Target{User: Me}); err == nil || !strings.Contains(err.Error(), "no picture") {
		t.Errorf("a page in place of a picture: %v", err)
	}
}

// A busy server that names a time is asked again after it, until the time is over.
func TestBusyServer(t *testing.T) {
	calls := 0
	c, waits := served(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); !strings.Contains(string(body), "pixels") {
			t.Errorf("the body of call %d is %q", calls, body)
		}
		if calls++; calls < 3 {
			w.Header().Set("Retry-After", "2")
			w.WriteHeader(503)
			_, _ = io.WriteString(w, `{"code":14,"message":"later"}`)
			return
		}
		w.Header().Set("X-Avatard-Receipt", "r1")
		_, _ = io.WriteString(w, `{"details":{"sequence":"7","resourceOwner":"acme"}}`)
	})
	details, err := c.Put(t.Context(), Target{User: "a/b"}, []byte("pixels"), Condition{})
	if err != nil || details.Sequence != "7" || details.Organization != "acme" || details.Receipt != "r1" || calls != 3 {
		t.Errorf("after %d calls: %+v, %v", calls, details, err)
	}
	if len(*waits) != 2 || (*waits)[0] != 2*time.Second {
		t.Errorf("waited %v, want 2 s twice", *waits)
	}
	calls = -1000
	*waits = nil
	if _, err := c.Put(t.Context(), Target{User: "a"}, []byte("pixels"), Condition{}); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "later") {
		t.Errorf("a server that stays busy: %v", err)
	}
}

// A token that is not good any more is fetched again, once.
func TestTokenThatEnds(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old\nwhatever\n")
	calls := 0
	c, _ := served(t, TokenFile(file), func(w http.ResponseWriter, r *http.Request) {
		calls++
		if r.Header.Get("Authorization") != "Bearer new" {
			write("new\n")
			w.WriteHeader(401)
			_, _ = io.WriteString(w, `{"code":16,"message":"over"}`)
			return
		}
		_, _ = io.WriteString(w, `{"details":{"sequence":"1"}}`)
	})
	if _, err := c.Remove(t.Context(), Target{User: Me}); err != nil || calls != 2 {
		t.Errorf("after %d calls: %v", calls, err)
	}
	for text, want := range map[string]string{"": "no token", "\n" + secret: "no token", secret + " x": "is no token", secret + "\x00": "is no token"} {
		write(text)
		if _, err := TokenFile(file).Token(t.Context(), ""); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) {
			t.Errorf("a file with %q: %v", text, err)
		}
	}
}

func TestTokenCommand(t *testing.T) {
	var stderr strings.Builder
	environ := append(os.Environ(), "GREETING=hello")
	for command, want := range map[string]string{
		`echo "$GREETING"; echo more`: "hello", "printf abc": "abc", "yes | head -c 1000000; exit 0": "y",
		"true": "", "exit 3": "", "echo " + secret + " x": "", "printf abc; exit 3": "",
	} {
		got, err := TokenCommand(command, environ, &stderr).Token(t.Context(), "")
		if got != want || (err == nil) != (want != "") || err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s gives %q, %v, want %q", command, got, err, want)
		}
	}
	if _, err := TokenCommand("echo why >&2; exit 1", environ, &stderr).Token(t.Context(), ""); err == nil || stderr.String() != "why\n" {
		t.Errorf("a command that fails: %v, and %q", err, &stderr)
	}
}

// A server that is not there, or does not answer in time, is named without more.
func TestNoAnswer(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	_, err := New(Config{URL: srv.URL, Tokens: FixedToken(secret)}).Remove(t.Context(), Target{User: Me})
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), srv.URL) || strings.Contains(err.Error(), "/users") {
		t.Errorf("nobody there: %v", err)
	}
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	if _, err = New(Config{URL: srv.URL}).Remove(ctx, Target{User: Me}); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "no answer in time") {
		t.Errorf("no time left: %v", err)
	}
}
