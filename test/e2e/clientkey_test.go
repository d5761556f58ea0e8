package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/authz/devidp"
)

// A key proves the server to its provider as well as a secret does, and a wrong one lets nobody in.
func TestClientKeyFile(t *testing.T) {
	p, stranger := newProvider(t, nil), newProvider(t, nil)
	dir := filepath.Join(t.TempDir(), "data")
	registerWithPicture(t, dir, p.Issuer, devidp.UserAlice)
	env := p.Settings()
	delete(env, "AVATARD_CLIENT_SECRET")
	for _, row := range []struct {
		why    string
		from   *faultyProvider
		status int
	}{{"the provider's own key", p, 200}, {"the key of another provider", stranger, 503}} {
		file, err := row.from.NewClientKey()
		if err != nil {
			t.Fatal(err)
		}
		srv, url := startServe(t, env, dir, "--client-key-file", writeFile(t, "key.json", string(file)), "--log-level", "debug")
		wantStatus(t, row.status, "DELETE", url+"/auth/v1/users/me/avatar", p.mint(t, devidp.UserAlice))
		srv.stop()
		if out := srv.out.String(); strings.Contains(out, "PRIVATE KEY") || strings.Contains(out, "client_assertion") {
			t.Errorf("%s: the log shows the key:\n%s", row.why, out)
		}
	}
	file, err := p.NewClientKey()
	if err != nil {
		t.Fatal(err)
	}
	env["AVATARD_CLIENT_ID"] = "another-client"
	args := []string{"serve", "--data", dir, "--client-key-file", writeFile(t, "key.json", string(file))}
	for _, name := range []string{"AVATARD_ISSUER", "AVATARD_AUDIENCE", "AVATARD_CLIENT_ID"} {
		args = append(args, "--"+strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, "AVATARD_")), "_", "-"), env[name])
	}
	wantFailure(t, "belongs to another client", args...)
}
