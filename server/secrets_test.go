package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"example.org/avatard/authz"
	"example.org/avatard/server/picture"
	"example.org/avatard/storage"
	"example.org/avatard/storage/faulty"
	"example.org/avatard/test/client"
	"example.org/avatard/test/leak"
)

func TestNoSecretLeavesTheServer(t *testing.T) {
	const token = "admin-token-1"
	plain := func() error { return fmt.Errorf("inside: %s, token %s", secret, token) }
	panics := func() error { panic(secret + " " + token) }
	wrapped := func(sentinel error) func() error {
		return func() error { return fmt.Errorf("%s %s: %w", secret, token, sentinel) }
	}
	store := func(f faulty.Fault) func(*Config) {
		return func(c *Config) { c.Store = faulty.Always(c.Store, f) }
	}
	rows := []struct {
		title  string
		change func(*Config)
		code   connect.Code
		retry  string
		others int // how many of callOthers meet it; only counted with internal errors
	}{
		{"error of the store", store(faulty.Fault{Err: plain()}), connect.CodeInternal, "", 6},
		{"store unavailable", store(faulty.Fault{Err: wrapped(storage.ErrUnavailable)()}), connect.CodeUnavailable, "1", 0},
		{"panic in the store", store(faulty.Fault{Panic: secret + " " + token}), connect.CodeInternal, "", 8},
		{"error of the authenticator", func(c *Config) { c.Authenticator = failingAuthenticator(plain) }, connect.CodeInternal, "", 5},
		{"provider unavailable", func(c *Config) { c.Authenticator = failingAuthenticator(wrapped(authz.ErrUnavailable)) }, connect.CodeUnavailable, "1", 0},
		{"token refused", func(c *Config) { c.Authenticator = failingAuthenticator(wrapped(authz.ErrInvalidToken)) }, connect.CodeUnauthenticated, "", 0},
		{"panic in the authenticator", func(c *Config) { c.Authenticator = failingAuthenticator(panics) }, connect.CodeInternal, "", 5},
		{"error of the permissions", func(c *Config) { c.Permissions = failingSource(plain) }, connect.CodeInternal, "", 2},
		{"permissions unavailable", func(c *Config) { c.Permissions = failingSource(wrapped(authz.ErrUnavailable)) }, connect.CodeUnavailable, "1", 0},
		{"an invalid request below", store(faulty.Fault{Err: wrapped(storage.ErrInvalid)()}), connect.CodeInternal, "", 6},
		{"somebody else's deadline", store(faulty.Fault{Err: wrapped(context.DeadlineExceeded)()}), connect.CodeUnavailable, "1", 0},
		{"panic with an error", store(faulty.Fault{Panic: plain()}), connect.CodeInternal, "", 8},
		{"a coded error below", store(faulty.Fault{Err: connect.NewError(connect.CodeNotFound, errors.New(secret))}), connect.CodeInternal, "", 6},
	}
	for _, row := range rows {
		t.Run(row.title, func(t *testing.T) {
			f := start(t, row.change)
			clean := func(where, text string) {
				t.Helper()
				if how, found := leak.Find(text, []byte(secret)); found || strings.Contains(text, token) {
					t.Errorf("%s: a secret is in the answer, %s: %q", where, how, text)
				}
			}
			f.checkDeletes(t, token, row.code, row.retry, clean)
			internal := f.callOthers(t, token, clean)
			if row.code == connect.CodeInternal && internal != row.others {
				t.Errorf("%d of the other calls are told of an internal error, want %d", internal, row.others)
			}
			checkSecretLog(t, f.log.String(), token, row.code != connect.CodeUnauthenticated)
		})
	}
}

// checkDeletes deletes in every form, and demands an answer with a code and a Retry-After.
func (f *fixture) checkDeletes(t *testing.T, token string, code connect.Code, retryAfter string, clean func(where, text string)) {
	t.Helper()
	for _, form := range client.Forms() {
		got := f.remove(t, form, query{user: alice, headers: bearer(token, "X-Request-Id", "request-77")})
		if got.Code != code {
			t.Errorf("%s: code %v, want %v", form, got.Code, code)
		}
		if got.Code == connect.CodeInternal && got.Message != "internal error (request request-77)" {
			t.Errorf("%s: message %q", form, got.Message)
		}
		if retry := got.Header.Get("Retry-After"); retry != retryAfter && !strings.HasPrefix(string(form), "grpc") {
			t.Errorf("%s: Retry-After %q, want %q", form, retry, retryAfter)
		}
		clean(string(form), got.Raw+got.Message)
	}
}

// callOthers makes all other calls, those of checkDeletes apart, and returns how many are told of an internal error.
func (f *fixture) callOthers(t *testing.T, token string, clean func(where, text string)) (internal int) {
	t.Helper()
	form, media := client.UploadForm(picture.Sample(1, 1000))
	for _, call := range []struct{ method, path, media, body string }{
		{"POST", client.OwnPicturePath, media, string(form)}, {"POST", client.UserPicturePath(alice), media, string(form)},
		{"GET", client.OwnPicturePath, "", ""}, {"GET", client.PicturePath(acme, alice), "", ""},
		{"DELETE", "/auth/v1/users/me/avatar", "", ""}, {"DELETE", client.UserPicturePath("1"), "", ""},
		{"GET", "/readyz", "", ""}, {"GET", "/healthz", "", ""}, {"POST", "/grpc.health.v1.Health/Check", "application/json", "{}"},
	} {
		headers := bearer(token, "Content-Type", call.media, "X-Zitadel-Orgid", acme, "X-Request-Id", "request-77")
		res, body := f.do(t, call.method, call.path, strings.NewReader(call.body), headers...)
		clean(call.method+" "+call.path, body+fmt.Sprint(res.Header))
		if res.StatusCode == http.StatusInternalServerError && strings.Contains(body, `"internal error (request request-77)"`) {
			internal++
		}
	}
	return internal
}

// checkSecretLog demands that a log has neither token nor picture, and, if wanted, the full error in a line with its request.
func checkSecretLog(t *testing.T, log, token string, wanted bool) {
	t.Helper()
	if strings.Contains(log, token) || strings.Contains(log, "x89PNG") {
		t.Errorf("a token or a picture is in the log:\n%.2000s", log)
	}
	for line := range strings.Lines(log) {
		wanted = wanted && !(strings.Contains(line, secret) && strings.Contains(line, "request-77"))
	}
	if wanted {
		t.Errorf("the full error is not in the log with its request:\n%.2000s", log)
	}
}

// A line of the log says whose picture was changed, and which path a request asked for that found nothing. It never holds a token.
func TestOneLogLinePerRequest(t *testing.T) {
	long := strings.Repeat("opaque", 8)
	f := start(t, nil)
	f.do(t, http.MethodDelete, "/management/v1/users/"+bob+"/avatar?access_token=query-token-1", nil, bearer("admin-token-1", "X-Request-Id", "abc")...)
	f.do(t, http.MethodDelete, "/nowhere/admin-token-1/"+long+"?access_token=query-token-1", nil, bearer("admin-token-1")...)
	lines := strings.Split(strings.TrimSpace(f.log.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want 2:\n%s", len(lines), f.log)
	}
	for _, want := range []string{"request=abc", `action="DELETE /management/v1/users/{user_id}/avatar"`, "form=rest", "status=200",
		"code=ok", "caller=900000000000000001", "organisation=" + acme, "user=" + bob, "address=127.0.0.1"} {
		if !strings.Contains(lines[0], want) {
			t.Errorf("line %s\nlacks %s", lines[0], want)
		}
	}
	if !strings.Contains(lines[1], `code=not_found`) || !strings.Contains(lines[1], "path=/nowhere/[token]/opaqueop… ") || strings.Contains(f.log.String(), "token-1") {
		t.Errorf("log:\n%s", f.log)
	}
}
