//go:build unix

package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"example.org/avatard/authz/devidp"
)

// What the page about account events says to type works as it stands, with the settings that it shows.
func TestHooksPage(t *testing.T) {
	p := newProvider(t, nil)
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	registerWithPicture(t, data, p.Issuer, devidp.UserAlice)
	page, files := examplesOf(t, "docs/hooks.md"), fencesOf(t, "docs/hooks.md", "yaml")
	if len(page) != 2 || len(files) != 1 {
		t.Fatalf("the page has %d examples and %d files, want 2 and 1", len(page), len(files))
	}
	term := newTerminal(t, dir, "", "USER_ALICE="+devidp.UserAlice, "ORG_ACME="+devidp.OrgAcme)
	if said := term.run(t, page[0].script); said != "" {
		t.Fatal(said)
	}
	settings := filepath.Join(dir, "avatard.yaml")
	if err := os.WriteFile(settings, []byte(files[0].text), 0o600); err != nil {
		t.Fatal(err)
	}
	srv, url := startServe(t, p.Settings(), data, "--config", settings)
	term.environ = append(term.environ, "AVATARD_URL="+url)
	picture := url + "/assets/v1/" + devidp.OrgAcme + "/users/" + devidp.UserAlice + "/avatar"
	wantStatus(t, http.StatusOK, http.MethodGet, picture, "")
	page[1].check(t, term.run(t, page[1].script))
	wantStatus(t, http.StatusNotFound, http.MethodGet, picture, "")
	wantStatus(t, http.StatusUnauthorized, http.MethodPost, url+"/hooks/accounts", "")
	wantStatus(t, http.StatusNotFound, http.MethodPost, url+"/hooks/other", "")
	srv.stop()
}
