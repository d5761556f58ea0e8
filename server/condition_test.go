package server

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"example.org/avatard/server/picture"
	"example.org/avatard/storage"
)

// tag returns the entity tag of Bob's picture, "" when there is none.
func (f *fixture) tag(t *testing.T) string {
	t.Helper()
	res, _ := f.do(t, http.MethodHead, "/assets/v1/"+acme+"/users/"+bob+"/avatar", nil)
	return res.Header.Get("ETag")
}

// replaceBobs uploads two pictures for Bob, one after the other, and returns their entity tags.
func (f *fixture) replaceBobs(t *testing.T) (old, now string) {
	t.Helper()
	f.upload(t, bobsPicture, "admin-token-1", picture.Sample(1, 4000))
	old = f.tag(t)
	f.upload(t, bobsPicture, "admin-token-1", picture.Sample(2, 4000))
	return old, f.tag(t)
}

// change deletes or uploads a picture with header fields, and demands a status.
func (f *fixture) change(t *testing.T, want int, method, path, token string, fields ...string) {
	t.Helper()
	const failed = `{"code":9,"message":"the picture is not the one that If-Match or If-None-Match asks for"}`
	headers := bearer(token, fields...)
	var form io.Reader
	if method == http.MethodPost {
		body, media := formOf("file", picture.Sample(3, 4000))
		form, headers = body, append(headers, "Content-Type", media)
	}
	res, body := f.do(t, method, path, form, headers...)
	if res.StatusCode != want || want == http.StatusPreconditionFailed && body != failed {
		t.Errorf("%s %s with %q: %d %s, want %d", method, path, fields, res.StatusCode, body, want)
	}
}

// A change that is bound to a picture happens to that one alone (RFC 9110 section 13.1): else the answer is 412, and nothing changes.
func TestFailedConditions(t *testing.T) {
	f := start(t, nil)
	old, now := f.replaceBobs(t)
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
			f.change(t, http.StatusPreconditionFailed, method, bobsPicture, "admin-token-1", fields...)
		}
		for _, field := range []string{"If-Match", "If-None-Match"} {
			for _, value := range []string{"", ",", strings.Trim(now, `"`), now + now, now + ", *", `"open`, "W/", "w/" + now, strings.Repeat(old+",", 64) + now} {
				f.change(t, http.StatusBadRequest, method, bobsPicture, "admin-token-1", field, value)
			}
		}
		// A caller without the permission does not learn which picture there is.
		f.change(t, http.StatusForbidden, method, bobsPicture, "viewer-token-1", "If-Match", old)
		f.change(t, http.StatusUnauthorized, method, bobsPicture, "nonsense-1", "If-Match", "rubbish")
	}
	if got := f.tag(t); got != now {
		t.Fatalf("ETag = %s after changes that were refused, want %s", got, now)
	}
	f.change(t, http.StatusNotFound, http.MethodDelete, "/management/v1/users/1/avatar", "admin-token-1", "If-Match", now)
}

// A caller who was never registered has no picture, and a failed condition does not register them.
func TestConditionsOfNewUsers(t *testing.T) {
	f := start(t, nil)
	_, bobs := f.replaceBobs(t)
	f.change(t, http.StatusPreconditionFailed, http.MethodPost, "/assets/v1/users/me/avatar", "new-token-1", "If-Match", "*")
	if _, err := f.store.Stat(t.Context(), f.key("100000000000000009"), acme); err == nil {
		t.Error("an upload that was refused has registered its user")
	}
	f.change(t, http.StatusOK, http.MethodPost, "/assets/v1/users/me/avatar", "new-token-1", "If-None-Match", "*")
	f.change(t, http.StatusPreconditionFailed, http.MethodPost, "/assets/v1/users/me/avatar", "new-token-1", "If-None-Match", "*")
	f.change(t, http.StatusPreconditionFailed, http.MethodDelete, "/auth/v1/users/me/avatar", "new-token-1", "If-Match", bobs)
	f.change(t, http.StatusOK, http.MethodDelete, "/auth/v1/users/me/avatar", "new-token-1", "If-Match", "*")
}

// A change whose condition holds happens. A delete of a picture that is gone can be repeated, and an upload cannot.
func TestConditionsThatHold(t *testing.T) {
	f := start(t, nil)
	old, now := f.replaceBobs(t)
	f.change(t, http.StatusOK, http.MethodPost, bobsPicture, "admin-token-1", "If-Match", old+" ,\t"+now)
	now = f.tag(t)
	f.change(t, http.StatusOK, http.MethodDelete, bobsPicture, "admin-token-1", "If-Match", `"x"`, "If-Match", now)
	if got := f.tag(t); got != "" {
		t.Errorf("ETag = %s after a delete bound to %s", got, now)
	}
	f.change(t, http.StatusOK, http.MethodDelete, bobsPicture, "admin-token-1", "If-Match", now) // repeated
	f.change(t, http.StatusPreconditionFailed, http.MethodDelete, bobsPicture, "admin-token-1", "If-Match", "*")
	f.change(t, http.StatusPreconditionFailed, http.MethodPost, bobsPicture, "admin-token-1", "If-Match", now)
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
