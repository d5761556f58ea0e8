//go:build unix && pages

package e2e

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"example.org/avatard/server/picture"
)

// At a provider of others somebody logs in with the server's address alone; it names itself, gives a refresh token, and ends both at the logout.
func TestPackagedProviderLogin(t *testing.T) {
	t.Parallel()
	p := startPackagedProvider(t, map[string]any{"alice": map[string]any{}})
	_, server := startServe(t, map[string]string{
		"AVATARD_ISSUER": p.Issuer, "AVATARD_AUDIENCE": packagedAudience, "AVATARD_CLIENT_ID": "avatard", "AVATARD_CLIENT_SECRET": packagedSecret,
		"AVATARD_AUTHZ_PROJECT_ID": "avatars", "AVATARD_DEFAULT_ORGANISATION": "everybody",
		"AVATARD_PAGE_CLIENT_ID": "pages", "AVATARD_PAGE_SCOPES": "openid,avatars",
	}, filepath.Join(t.TempDir(), "data"))
	home := t.TempDir()
	environ := []string{"AVATARD_URL=" + server, "HOME=" + home}
	if said := logIn(t, environ, nil, logInAtPackaged); !strings.Contains(said, "refreshed: yes\n") {
		t.Errorf("login says %q", said)
	}
	file, err := filepath.Glob(filepath.Join(home, ".config", "avatard", "logins", "*.json"))
	if err != nil || len(file) != 1 {
		t.Fatalf("logins: %v, %v", file, err)
	}
	first := readText(t, file[0])
	if out, errOut, code := callCommand(t, environ, picture.Sample(1, 2000), "put", "me", "-"); code != 0 || !strings.Contains(out, "organisation: everybody\n") {
		t.Errorf("put: %d, %s%s", code, out, errOut)
	}
	// A token that is over is refreshed, and the new one is kept.
	over := regexp.MustCompile(`"expires":"\d{4}`).ReplaceAllString(first, `"expires":"2001`)
	if err := os.WriteFile(file[0], []byte(over), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, errOut, code := callCommand(t, environ, nil, "rm", "me"); code != 0 || !strings.Contains(out, "receipt: ") {
		t.Errorf("rm with a token that is over: %d, %s%s", code, out, errOut)
	}
	second := readText(t, file[0])
	if token := regexp.MustCompile(`"accessToken":"[^"]+"`); token.FindString(second) == token.FindString(first) {
		t.Error("the token was not refreshed")
	}
	if out, errOut, code := callCommand(t, environ, nil, "logout"); code != 0 || !strings.Contains(out, "revoked: yes\n") {
		t.Errorf("logout: %d, %s%s", code, out, errOut)
	}
	// Whoever had a copy of the file has nothing any more.
	if err := os.WriteFile(file[0], []byte(regexp.MustCompile(`"expires":"\d{4}`).ReplaceAllString(second, `"expires":"2001`)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errOut, code := callCommand(t, environ, nil, "rm", "me"); code != 5 || !strings.Contains(errOut, "could not be refreshed") {
		t.Errorf("with a copy of the login: %d, %s", code, errOut)
	}
}

// logInAtPackaged signs Alice in on the page at an address and returns what her browser sees last.
func logInAtPackaged(address string) (string, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	browser := &http.Client{Jar: jar}
	res, err := browser.Get(address)
	if err != nil {
		return "", err
	}
	_ = res.Body.Close()
	return readAnswer(browser.PostForm(res.Request.URL.String(), url.Values{"login": {"alice"}}))
}

func readText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
