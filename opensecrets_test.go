package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"avatard/authz/devidp"
)

const openSecret = "a file that holds a secret is open to other users"

// A secret that others may read or change is named when the server starts, with its file and mode; one that is its owner's
// alone is not.
func TestSecretsOpenToOthers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no mode there")
	}
	dir := t.TempDir()
	for _, row := range []struct {
		mode os.FileMode
		warn string
	}{
		{0o600, ""}, {0o400, ""}, {0o700, ""}, {0o711, ""},
		{0o644, "mode=0644"}, {0o640, "mode=0640"}, {0o604, "mode=0604"}, {0o660, "mode=0660"}, {0o602, "mode=0602"}, {0o444, "mode=0444"},
	} {
		file := filepath.Join(dir, "secret")
		if err := os.WriteFile(file, []byte("hidden"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, row.mode); err != nil {
			t.Fatal(err)
		}
		link := filepath.Join(dir, "link")
		_ = os.Remove(link)
		if err := os.Symlink(file, link); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{file, link} {
			var log strings.Builder
			cfg := config{ClientSecretFile: path, ClientKeyFile: path, TLSKeyFile: path, SecretInFile: path}
			for _, f := range cfg.secretFiles() {
				f.warnIfOpen(slog.New(slog.NewTextHandler(&log, nil)))
			}
			lines := strings.Count(log.String(), openSecret)
			if row.warn == "" && lines != 0 || row.warn != "" && (lines != 4 || strings.Count(log.String(), row.warn) != 4) {
				t.Errorf("mode %04o: %d lines, want %q:\n%s", row.mode, lines, row.warn, log.String())
			}
			for _, setting := range []string{"client_secret_file", "client_key_file", "tls.key_file", "client_secret"} {
				if row.warn != "" && !strings.Contains(log.String(), "setting="+setting+" file="+path+" ") {
					t.Errorf("mode %04o: no line of %s", row.mode, setting)
				}
			}
			if strings.Contains(log.String(), "hidden") {
				t.Error("the secret is in the log")
			}
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

// The server says so of the files that it was given, the configuration file among them where the secret stands in it.
func TestServeNamesOpenSecrets(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no mode there")
	}
	p := newMoodyProvider(t, nil)
	env := p.settings()
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
