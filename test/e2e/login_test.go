//go:build unix

package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"example.org/avatard/internal/cli"
	"example.org/avatard/server/picture"
)

func readAnswer(res *http.Response, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return string(text), err
}

// pickPerson opens the address of a sign-in as a browser would, picks somebody on dev's login page, and returns what the browser sees last.
func pickPerson(ctx context.Context, address, user string) (string, error) {
	hc := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	page, err := readAnswer(hc.Do(req))
	if err != nil {
		return "", err
	}
	form := regexp.MustCompile(`action="([^"]+)"[\s\S]*name="id" value="([^"]+)"[\s\S]*name="form_token" value="([^"]+)"`).FindStringSubmatch(page)
	if form == nil {
		return "", errors.New("this is no login page: " + page)
	}
	body := url.Values{"id": {form[2]}, "form_token": {form[3]}, "user": {user}}
	if req, err = http.NewRequestWithContext(ctx, http.MethodPost, form[1], strings.NewReader(body.Encode())); err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return readAnswer(hc.Do(req))
}

// logIn runs login with more flags, while browse goes where it sends people and returns what a browser sees last. It returns what login says.
func logIn(t *testing.T, environ, flags []string, browse func(address string) (string, error)) string {
	t.Helper()
	var out bytes.Buffer
	errOut := newTranscript("state=")
	ended := make(chan int, 1)
	go func() {
		p := &cli.Program{Environ: environ, Stdin: strings.NewReader(""), Stdout: &out, Stderr: errOut}
		ended <- cli.Report(errOut, p.Run(t.Context(), append([]string{"login"}, flags...)))
	}()
	select {
	case <-errOut.seen:
	case code := <-ended:
		t.Fatalf("login %q ended with %d: %s", flags, code, errOut)
	}
	address := regexp.MustCompile(`(?m)^  (http\S+)$`).FindStringSubmatch(errOut.String())
	if address == nil {
		t.Fatalf("login %q printed %q", flags, errOut)
	}
	page, err := browse(address[1])
	if err != nil || !strings.Contains(page, "go back to the terminal") {
		t.Fatalf("login %q: the browser ends at %q, %v", flags, page, err)
	}
	if code := <-ended; code != 0 {
		t.Fatalf("login %q ended with %d: %s%s", flags, code, &out, errOut)
	}
	return out.String()
}

// With the server's address alone somebody signs in at its provider, calls with that, and signs out.
func TestLogin(t *testing.T) {
	t.Parallel()
	_, env := startDev(t)
	home := t.TempDir()
	environ := []string{"AVATARD_URL=" + env["AVATARD_URL"], "HOME=" + home}
	logInAsAlice := func(flags ...string) {
		t.Helper()
		said := logIn(t, environ, flags, func(address string) (string, error) { return pickPerson(t.Context(), address, env["USER_ALICE"]) })
		if !strings.Contains(said, "server: "+env["AVATARD_URL"]+"\nprovider: "+env["AVATARD_ISSUER"]+"\nuntil: ") {
			t.Fatalf("login %q says %q", flags, said)
		}
	}
	if _, errOut, code := callCommand(t, environ, nil, "rm", "me"); code != 5 || !strings.Contains(errOut, "avatard login") {
		t.Errorf("before the login: %d, %s", code, errOut)
	}
	logInAsAlice() // as the server says
	logInAsAlice("--issuer", env["AVATARD_ISSUER"], "--client-id", env["LOGIN_CLIENT_ID"], "--scope", env["LOGIN_SCOPES"])
	files, err := filepath.Glob(filepath.Join(home, ".config", "avatard", "logins", "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("logins: %v, %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	token := regexp.MustCompile(`"accessToken":"([^"]+)"`).FindStringSubmatch(string(text))
	if out, errOut, code := callCommand(t, environ, picture.Sample(1, 2000), "put", "me", "-"); code != 0 || !strings.Contains(out, "sequence: 3\n") {
		t.Errorf("put with the login: %d, %s%s", code, out, errOut)
	}
	if err := os.Chmod(files[0], 0o640); err != nil { // others may have the tokens now, which is why they have to end
		t.Fatal(err)
	}
	if _, errOut, code := callCommand(t, environ, nil, "rm", "me"); code != 5 || !strings.Contains(errOut, "others can read the login") {
		t.Errorf("with a login that others can read: %d, %s", code, errOut)
	}
	if out, errOut, code := callCommand(t, environ, nil, "logout"); code != 0 || out != "server: "+env["AVATARD_URL"]+"\nrevoked: yes\n" {
		t.Errorf("logout: %d, %s%s", code, out, errOut)
	}
	if _, _, code := callCommand(t, environ, nil, "rm", "me"); code != 5 {
		t.Errorf("after the logout: %d", code)
	}
	logInAsAlice()
	if err := os.Chmod(files[0], 0o620); err != nil { // what it says of the provider may be somebody else's
		t.Fatal(err)
	}
	if _, errOut, code := callCommand(t, environ, nil, "logout"); code != 5 || !strings.Contains(errOut, "its tokens were not ended at the provider") {
		t.Errorf("a logout with a login that others can write: %d, %s", code, errOut)
	}
	if _, errOut, code := callCommand(t, environ, nil, "logout"); code != 1 || !strings.Contains(errOut, "nobody is logged in") {
		t.Errorf("a second logout: %d, %s", code, errOut)
	}
	if token == nil {
		t.Fatalf("no token in the file of the login")
	}
	// The provider has ended the token; the server may believe in it for some seconds more.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, env["AVATARD_ISSUER"]+"/oauth/introspect", strings.NewReader(url.Values{"token": {token[1]}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(env["AVATARD_CLIENT_ID"], env["AVATARD_CLIENT_SECRET"])
	if body, err := readAnswer(http.DefaultClient.Do(req)); err != nil || strings.TrimSpace(body) != `{"active":false}` {
		t.Errorf("the provider says of the token: %s, %v", body, err)
	}
}

// What cannot lead to a login is said at once.
func TestLoginThatCannotBe(t *testing.T) {
	t.Parallel()
	_, env := startDev(t)
	home := t.TempDir()
	for _, row := range []struct {
		title, args string
		code        int
		text        string
	}{
		{"no server", "login --url http://127.0.0.1:1", 8, "does not answer"},
		{"half a client", "login --issuer https://id.example", 2, "go together"},
		{"an issuer without TLS", "login --issuer http://id.example --client-id x", 1, "cleartext"},
		{"an issuer of another name", "login --client-id x --issuer " + strings.Replace(env["AVATARD_ISSUER"], "127.0.0.1", "localhost", 1), 1, "calls itself"},
		{"no time", "login --timeout now", 2, "--timeout"},
	} {
		out, errOut, code := callCommand(t, []string{"AVATARD_URL=" + env["AVATARD_URL"], "HOME=" + home}, nil, strings.Fields(row.args)...)
		if code != row.code || !strings.Contains(errOut, row.text) || out != "" {
			t.Errorf("%s: exit code %d, want %d with %q:\n%s%s", row.title, code, row.code, row.text, out, errOut)
		}
	}
}
