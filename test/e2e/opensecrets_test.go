package e2e

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"example.org/avatard/authz/devidp"
)

const openSecret = "a file that holds a secret is open to other users"

// The server says so of the files that it was given, the configuration file among them where the secret stands in it.
func TestServeNamesOpenSecrets(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no mode there")
	}
	p := newProvider(t, nil)
	env := p.Settings()
	dir := t.TempDir()
	registerWithPicture(t, filepath.Join(dir, "data"), p.Issuer, devidp.UserAlice)
	secret, settings := filepath.Join(dir, "secret"), filepath.Join(dir, "avatard.yaml")
	write := func(file, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
	}
	text := "client_secret: \"" + env["AVATARD_CLIENT_SECRET"] + "\"\n"
	write(secret, env["AVATARD_CLIENT_SECRET"], 0o644)
	delete(env, "AVATARD_CLIENT_SECRET")
	for _, row := range []struct {
		why  string
		args []string
		text string
		mode os.FileMode
		want string
	}{
		{"a secret's own file", []string{"--client-secret-file", secret}, "realm: x\n", 0o644, "setting=client_secret_file file=" + secret + " mode=0644"},
		{"a secret in the configuration", nil, text, 0o640, "setting=client_secret file=" + settings + " mode=0640"},
		{"a secret in a configuration that is its owner's", nil, text, 0o600, ""},
	} {
		write(settings, row.text, row.mode)
		r, _ := startServe(t, env, filepath.Join(dir, "data"), append(row.args, "--config", settings)...)
		r.stop()
		if log := r.out.String(); strings.Contains(log, openSecret) != (row.want != "") || !strings.Contains(log, row.want) {
			t.Errorf("%s: the log does not say %q:\n%s", row.why, row.want, log)
		}
	}
}
