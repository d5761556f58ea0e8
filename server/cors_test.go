package server

import (
	"net/http"
	"strings"
	"testing"
)

func TestCrossOrigin(t *testing.T) {
	const page = "https://app.example"
	f := start(t, func(c *Config) {
		c.AllowedOrigin = func(origin string) bool { return origin != "https://evil.example" }
	})
	rows := []struct {
		title, origin, path string
		allowed             bool
	}{
		{"REST", page, "/management/v1/users/1/avatar", true},
		{"Connect and gRPC-Web", page, removeProcedure, true},
		{"another origin", "https://evil.example", removeProcedure, false},
		{"no origin of its own", "null", removeProcedure, false},
	}
	for _, row := range rows {
		res, body := f.do(t, http.MethodOptions, row.path, nil, "Origin", row.origin, "Access-Control-Request-Method", "DELETE",
			"Access-Control-Request-Headers", "x-zitadel-orgid,AUTHORIZATION")
		if got := res.Header.Get("Access-Control-Allow-Origin"); (got == row.origin) != row.allowed {
			t.Errorf("%s: preflight %d %s allows %q", row.title, res.StatusCode, body, got)
		}
		allowed := strings.ToLower(res.Header.Get("Access-Control-Allow-Headers"))
		if row.allowed && (res.StatusCode != http.StatusNoContent || !strings.Contains(allowed, "x-zitadel-orgid") || !strings.Contains(allowed, "authorization")) {
			t.Errorf("%s: preflight %d allows headers %q", row.title, res.StatusCode, allowed)
		}
		if res.Header.Get("Access-Control-Allow-Credentials") != "" || res.Header.Get("Vary") != "Origin" {
			t.Errorf("%s: headers %v", row.title, res.Header)
		}
	}
	res, _ := f.do(t, http.MethodDelete, "/management/v1/users/1/avatar", nil, "Origin", page)
	if res.StatusCode != http.StatusUnauthorized || res.Header.Get("Access-Control-Allow-Origin") != page ||
		!strings.Contains(res.Header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate") {
		t.Errorf("the answer itself: %d %v", res.StatusCode, res.Header)
	}
	closed := start(t, nil)
	res, _ = closed.do(t, http.MethodOptions, removeProcedure, nil, "Origin", page, "Access-Control-Request-Method", "POST")
	for name := range res.Header {
		if strings.HasPrefix(name, "Access-Control") || name == "Vary" {
			t.Errorf("without allowed origins there is %s", name)
		}
	}
}
