package server

import (
	"net/http"
	"strings"
	"testing"
)

// The preflight of a page that may not call is answered without a header of CORS, and the log names its origin and the setting that
// decides. A call that such a page sends all the same is like any other.
func TestForeignOrigins(t *testing.T) {
	for title, allowed := range map[string]func(string) bool{
		"none configured":    nil,
		"another configured": func(origin string) bool { return origin == "https://app.example" },
	} {
		t.Run(title, func(t *testing.T) {
			f := start(t, func(c *Config) { c.AllowedOrigin = allowed })
			for _, path := range []string{"/management/v1/users/1/avatar", removeProcedure, "/nowhere"} {
				res, body := f.do(t, http.MethodOptions, path, nil, "Origin", "https://foreign.example", "Access-Control-Request-Method", "DELETE",
					"Access-Control-Request-Headers", "authorization")
				if res.StatusCode != http.StatusNoContent || body != "" {
					t.Errorf("preflight of %s: %d %s, want 204", path, res.StatusCode, body)
				}
				wantNoCORS(t, path, res.Header)
			}
			log := f.log.String()
			if !strings.Contains(log, "cors.origins does not list it") || !strings.Contains(log, "origin=https://foreign.example") {
				t.Errorf("log:\n%s", log)
			}
			for range 5 * maxLines { // one page in a loop
				f.do(t, http.MethodOptions, removeProcedure, nil, "Origin", "https://foreign.example", "Access-Control-Request-Method", "DELETE")
			}
			if n := strings.Count(f.log.String(), "cors.origins"); n > 3*maxLinesOfAddress {
				t.Errorf("%d lines about one page", n)
			}
			res, _ := f.do(t, http.MethodDelete, "/management/v1/users/1/avatar", nil, "Origin", "https://foreign.example")
			wantNoCORS(t, "the call itself", res.Header)
			if res.StatusCode != http.StatusUnauthorized {
				t.Errorf("the call itself: %d, want 401", res.StatusCode)
			}
			if res, _ := f.do(t, http.MethodOptions, removeProcedure, nil); res.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("OPTIONS that is no preflight: %d, want 405", res.StatusCode)
			}
		})
	}
}
