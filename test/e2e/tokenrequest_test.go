//go:build unix

package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"example.org/avatard/authz/devidp"
)

// The line by which a script gets a token works as it stands on both pages, and the token is good for what the pages say.
func TestTokenRequestOfThePages(t *testing.T) {
	p := newProvider(t, nil)
	dir := t.TempDir()
	registerWithPicture(t, dir, p.Issuer, devidp.UserAlice)
	_, url := startServe(t, p.Settings(), dir)
	manager, ok := p.MachineClient("manager")
	if !ok {
		t.Fatal("there is no such machine")
	}
	_, body := call(t, http.MethodGet, p.Issuer+"/.well-known/openid-configuration", "")
	var document struct {
		Token string `json:"token_endpoint"`
	}
	if err := json.Unmarshal([]byte(body), &document); err != nil {
		t.Fatal(err)
	}
	term := newTerminal(t, dir, "", "CLIENT_ID="+manager.ID, "CLIENT_SECRET="+manager.Secret, "PROJECT_ID="+p.Audience, "TOKEN_ENDPOINT="+document.Token)
	for _, page := range []string{"README.md", "docs/providers/zitadel.md"} {
		found := 0
		for _, f := range fencesOf(t, page, "") {
			if !strings.Contains(f.text, "grant_type=client_credentials") {
				continue
			}
			found++
			var answer struct {
				Token string `json:"access_token"`
			}
			if text := term.run(t, f.text); json.Unmarshal([]byte(text), &answer) != nil || answer.Token == "" {
				t.Fatalf("%s:%d: the answer is %s", page, f.from, text)
			}
			wantStatus(t, http.StatusOK, http.MethodDelete, url+"/management/v1/users/"+devidp.UserAlice+"/avatar", answer.Token)
		}
		if found != 1 {
			t.Errorf("%s has %d such lines, want 1", page, found)
		}
	}
}
