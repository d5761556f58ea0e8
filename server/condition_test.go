package server

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"avatard/server/picture"
	"avatard/storage"
)

// A change that is bound to a picture happens to that one alone (RFC 9110 section 13.1): else the answer is 412, and nothing changes.
func TestConditions(t *testing.T) {
	const (
		public     = "/assets/v1/" + acme + "/users/" + bob + "/avatar"
		management = "/management/v1/users/" + bob + "/avatar"
		failed     = `{"code":9,"message":"the picture is not the one that If-Match or If-None-Match asks for"}`
	)
	f := start(t, nil)
	tag := func() string {
		res, _ := f.do(t, http.MethodHead, public, nil)
		return res.Header.Get("ETag")
	}
	send := func(method, path, token string, fields ...string) (int, string) {
		t.Helper()
		headers := bearer(token, fields...)
		if method == http.MethodDelete {
			res, body := f.do(t, method, path, nil, headers...)
			return res.StatusCode, body
		}
		form, media := formOf("file", picture.Sample(3, 4000))
		res, body := f.do(t, method, path, form, append(headers, "Content-Type", media)...)
		return res.StatusCode, body
	}
	demand := func(want int, method, path, token string, fields ...string) {
		t.Helper()
		if status, body := send(method, path, token, fields...); status != want || want == http.StatusPreconditionFailed && body != failed {
			t.Errorf("%s %s with %q: %d %s, want %d", method, path, fields, status, body, want)
		}
	}
	f.upload(t, management, "admin-token-1", picture.Sample(1, 4000))
	old := tag()
	f.upload(t, management, "admin-token-1", picture.Sample(2, 4000))
	now := tag()

	for _, method := range []string{http.MethodDelete, http.MethodPost} {
		for _, fields := range [][]string{
			{"If-Match", old},
			{"If-Match", "W/" + now}, // the comparison is strong
			{"If-Match", `"of-another, server"`},
			{"If-None-Match", "*"},
			{"If-None-Match", "W/" + now},
			{"If-None-Match", old + "," + now},
			{"If-Match", now, "If-None-Match", now},
		} {
			demand(http.StatusPreconditionFailed, method, management, "admin-token-1", fields...)
		}
		for _, field := range []string{"If-Match", "If-None-Match"} {
			for _, value := range []string{"", ",", strings.Trim(now, `"`), now + now, now + ", *", `"open`, "W/", "w/" + now, strings.Repeat(old+",", 64) + now} {
				demand(http.StatusBadRequest, method, management, "admin-token-1", field, value)
			}
		}
		// Who may not, does not learn what there is.
		demand(http.StatusForbidden, method, management, "viewer-token-1", "If-Match", old)
		demand(http.StatusUnauthorized, method, management, "nonsense-1", "If-Match", "rubbish")
	}
	if got := tag(); got != now {
		t.Fatalf("ETag = %s after changes that were refused, want %s", got, now)
	}

	demand(http.StatusNotFound, http.MethodDelete, "/management/v1/users/1/avatar", "admin-token-1", "If-Match", now)
	demand(http.StatusPreconditionFailed, http.MethodPost, "/assets/v1/users/me/avatar", "new-token-1", "If-Match", "*")
	if _, err := f.store.Stat(t.Context(), f.key("100000000000000009"), acme); err == nil {
		t.Error("an upload that was refused has registered its user")
	}
	demand(http.StatusOK, http.MethodPost, "/assets/v1/users/me/avatar", "new-token-1", "If-None-Match", "*")
	demand(http.StatusPreconditionFailed, http.MethodPost, "/assets/v1/users/me/avatar", "new-token-1", "If-None-Match", "*")
	demand(http.StatusPreconditionFailed, http.MethodDelete, "/auth/v1/users/me/avatar", "new-token-1", "If-Match", now)
	demand(http.StatusOK, http.MethodDelete, "/auth/v1/users/me/avatar", "new-token-1", "If-Match", "*")

	demand(http.StatusOK, http.MethodPost, management, "admin-token-1", "If-Match", old+" ,\t"+now)
	now = tag()
	demand(http.StatusOK, http.MethodDelete, management, "admin-token-1", "If-Match", `"x"`, "If-Match", now)
	if got := tag(); got != "" {
		t.Errorf("ETag = %s after a delete bound to %s", got, now)
	}
	demand(http.StatusOK, http.MethodDelete, management, "admin-token-1", "If-Match", now) // repeated
	demand(http.StatusPreconditionFailed, http.MethodDelete, management, "admin-token-1", "If-Match", "*")
	demand(http.StatusPreconditionFailed, http.MethodPost, management, "admin-token-1", "If-Match", now)
}

// A list of tags that is written in any allowed way names the same generations.
func TestGenerations(t *testing.T) {
	for value, want := range map[string][]string{
		"*":                                 {storage.AnyPicture},
		" * ":                               {storage.AnyPicture},
		`"ab-full-png"`:                     {"ab"},
		`"ab-full-png","cd-full-jpeg"`:      {"ab", "cd"},
		",, \t\"ab-full-png\" ,, \"cd-\" ,": {"ab", "cd"},
		`W/"ab-full-png", "a,b"`:            {"", "a,b"},
		`"*", "*-full-png", ""`:             {"", "", ""},
	} {
		if got, ok := generations([]string{value}, true); !ok || !slices.Equal(got, want) {
			t.Errorf("%s = %q, %v, want %q", value, got, ok, want)
		}
	}
}
