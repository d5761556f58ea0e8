package server

import (
	"net/http"
	"testing"
)

func TestRouteHint(t *testing.T) {
	const own, others = "/users/me/avatar", "/users/69629023906488337/avatar"
	for _, tt := range []struct{ method, path, want string }{
		{"DELETE", "/assets/v1" + own, "; DELETE /auth/v1/users/me/avatar deletes one's own picture"},
		{"GET", "/auth/v1" + own, "; GET /assets/v1/users/me/avatar reads one's own picture"},
		{"PUT", "/assets/v1" + own, "; POST /assets/v1/users/me/avatar uploads one's own picture"},
		{"HEAD", "/management/v1" + others, "; GET /assets/v1/{org_id}/users/{user_id}/avatar reads a user's picture"},
		{"DELETE", "/assets/v1/acme" + others, "; DELETE /management/v1/users/{user_id}/avatar deletes a user's picture"},
		{"GET", "/assets/v1" + others, "; GET /assets/v1/{org_id}/users/{user_id}/avatar reads a user's picture"},
		{"DELETE", "/management/v1" + others + "/", "; DELETE /management/v1/users/{user_id}/avatar deletes a user's picture, without a slash at the end"},
		{"TRACE", "/assets/v1" + own, ""},
		{"DELETE", "/management/v1/users/u", ""},
		{"DELETE", "/healthz", ""},
		{"GET", "/", ""},
		{"GET", "//avatar", ""},
	} {
		if got := routeHint(tt.method, tt.path); got != tt.want {
			t.Errorf("routeHint(%s, %s) = %q, want %q", tt.method, tt.path, got, tt.want)
		}
	}
}

func TestSingular(t *testing.T) {
	for text, want := range map[string]string{
		"must be at least 1 characters":    "must be at least 1 character",
		"must be at most 200 characters":   "must be at most 200 characters",
		"must be at least 11 characters":   "must be at least 11 characters",
		"must contain at least 1 items; 1": "must contain at least 1 item; 1",
		"must be 1 bytes":                  "must be 1 byte",
		http.StatusText(http.StatusOK):     "OK",
	} {
		if got := singular.ReplaceAllString(text, "1 $1"); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
