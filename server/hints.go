package server

import (
	"net/http"
	"strings"
)

// The routes that do something with a picture, by what is asked for: one's own, or another user's.
var (
	ownRoutes = map[string]string{
		http.MethodDelete: "DELETE /auth/v1/users/me/avatar deletes one's own picture",
		http.MethodGet:    "GET /assets/v1/users/me/avatar reads one's own picture",
		http.MethodPost:   "POST /assets/v1/users/me/avatar uploads one's own picture",
	}
	othersRoutes = map[string]string{
		http.MethodDelete: "DELETE /management/v1/users/{user_id}/avatar deletes a user's picture",
		http.MethodGet:    "GET /assets/v1/{org_id}/users/{user_id}/avatar reads a user's picture",
		http.MethodPost:   "POST /management/v1/users/{user_id}/avatar uploads a user's picture",
	}
)

// routeHint tells a caller who named no route, or a route without this method, which routes they may have meant; "" when there is nothing to suggest.
// It repeats nothing that the caller sent.
func routeHint(method, path string) string {
	path, slash := strings.CutSuffix(path, "/")
	prefix := strings.HasPrefix(path, "/assets/v1/") || strings.HasPrefix(path, "/auth/v1/") || strings.HasPrefix(path, "/management/v1/")
	if !prefix || !strings.HasSuffix(path, "/avatar") || strings.Contains(path, "%") {
		return ""
	}
	switch method {
	case http.MethodHead:
		method = http.MethodGet
	case http.MethodPut, http.MethodPatch:
		method = http.MethodPost
	}
	hint := othersRoutes[method]
	if strings.HasSuffix(path, "/users/me/avatar") {
		hint = ownRoutes[method]
	}
	if hint == "" {
		return ""
	}
	if slash {
		return "; " + hint + ", without a slash at the end"
	}
	return "; " + hint
}
