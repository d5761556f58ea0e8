package e2e

import (
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// With page.client_id the reference of serve names the endpoints that the provider describes, and its page may talk to the provider's
// origin; without, or while the provider is away, tokens have to be brought, and the page talks to nobody else.
func TestPageClientOfServe(t *testing.T) {
	p := newProvider(t, nil)
	page := func(url string) (document, shown, policy string) {
		_, document = call(t, "GET", url+"/openapi.json", "")
		res, err := http.Get(url + "/docs")
		if err != nil {
			t.Fatal(err)
		}
		policy = res.Header.Get("Content-Security-Policy")
		shown, err = readAnswer(res, err)
		if err != nil {
			t.Fatal(err)
		}
		return document, shown, policy
	}
	with := map[string]string{"AVATARD_PAGE_CLIENT_ID": "pages", "AVATARD_PAGE_SCOPES": "openid,avatars"}
	maps.Copy(with, p.Settings())
	_, url := startServe(t, with, filepath.Join(t.TempDir(), "with"))
	document, shown, policy := page(url)
	for _, want := range []string{p.Issuer + "/oauth/token", p.Issuer + "/authorize", `"avatars"`, `"oauth2"`} {
		if !strings.Contains(document, want) {
			t.Errorf("with page.client_id the document does not name %s", want)
		}
	}
	if want := `"revocationUrl":"` + p.Issuer + `/revoke"`; !strings.Contains(shown, want) {
		t.Errorf("with page.client_id the page does not have %s", want)
	}
	if origin := strings.TrimSuffix(p.Issuer, "/idp"); !strings.Contains(policy, "connect-src 'self' "+origin) {
		t.Errorf("with page.client_id the policy of the page is %q, want leave for %s", policy, origin)
	}
	_, url = startServe(t, p.Settings(), filepath.Join(t.TempDir(), "without"))
	if document, _, policy = page(url); strings.Contains(document, "oauth2") || strings.Contains(policy, "connect-src") {
		t.Errorf("without page.client_id the policy of the page is %q and the document has oauth2: %v", policy, strings.Contains(document, "oauth2"))
	}
}
