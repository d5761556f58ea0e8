package config

import (
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

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
			cfg := Config{ClientSecretFile: path, ClientKeyFile: path, TLSKeyFile: path, DatabaseFile: path,
				Bucket: Bucket{SecretKeyFile: path, KeyFile: path}, File: path, SecretsInFile: []string{"client_secret", "database"}}
			cfg.WarnOfOpenSecrets(slog.New(slog.NewTextHandler(&log, nil)))
			lines := strings.Count(log.String(), "a file that holds a secret is open to other users")
			if row.warn == "" && lines != 0 || row.warn != "" && (lines != 8 || strings.Count(log.String(), row.warn) != 8) {
				t.Errorf("mode %04o: %d lines, want %q:\n%s", row.mode, lines, row.warn, log.String())
			}
			for _, setting := range []string{"client_secret_file", "client_key_file", "tls.key_file", "client_secret", "database_file", "bucket.secret_key_file", "bucket.key_file", "database"} {
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
