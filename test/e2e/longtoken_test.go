package e2e

import (
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/authz/devidp"
)

// curl deletes with a token of 60,000 bytes over both versions of HTTP: a token that the header limit lets through is looked up.
func TestCurlWithLongToken(t *testing.T) {
	curl := Program(t, "curl")
	p := newProvider(t, nil)
	short, long := p.mint(t, managerID), strings.Repeat("role.list+/", 60_000/11)+"="
	p.Misbehave("", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			form, _ := io.ReadAll(r.Body)
			body := strings.Replace(string(form), url.QueryEscape(long), url.QueryEscape(short), 1)
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		}
		p.Handler().ServeHTTP(w, r)
	})
	dir := filepath.Join(t.TempDir(), "data")
	registerWithPicture(t, dir, p.Issuer, devidp.UserAlice)
	srv, address := startServe(t, p.Settings(), dir)
	for _, row := range []struct{ token, status string }{{long, "200"}, {long[1:], "401"}, {short, "200"}} {
		header := writeFile(t, "header", "Authorization: Bearer "+row.token)
		for _, version := range []string{"--http1.1", "--http2-prior-knowledge"} {
			cmd := exec.CommandContext(t.Context(), curl, "-sS", "-o", "-", "-w", " %{http_code}", version, "-X", "DELETE", "-H", "@"+header,
				address+"/management/v1/users/"+devidp.UserAlice+"/avatar")
			output, err := cmd.CombinedOutput()
			if err != nil || !strings.HasSuffix(string(output), " "+row.status) {
				t.Errorf("%d bytes, %s: %s, %v, want %s", len(row.token), version, output, err, row.status)
			}
		}
	}
	if strings.Contains(srv.out.String(), "role.list") {
		t.Error("the token is in the log")
	}
}
