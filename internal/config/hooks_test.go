package config

import (
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

const (
	standardSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	nextSecret     = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
	zitadelSecret  = "36-characters-of-a-zitadel-target-key"
)

// hookSecretsIn returns a directory with files of hooks' secrets.
func hookSecretsIn(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestHookFaults(t *testing.T) {
	dir := hookSecretsIn(t, map[string]string{"a": standardSecret, "planted": "whsec_planted", "of-zitadel": zitadelSecret, "long": strings.Repeat("x", 5000)})
	rows := []struct {
		title, organizations, secrets, zitadel string
		fault                                  string // contained in the error, "" = none
	}{
		{"a hook", "a=acme", dir, "", ""},
		{"one of ZITADEL's", "a=acme;of-zitadel=acme", dir, "of-zitadel", ""},
		{"no secrets", "a=acme", "", "", "expected both or neither"},
		{"no organisations", "", dir, "", "expected both or neither"},
		{"a hook of no organisation", "a=", dir, "", "takes no events"},
		{"an organisation that is none", "a=\x00", dir, "", "is no id"},
		{"a name that leads elsewhere", "../a=acme", dir, "", "is no name of a hook"},
		{"a name in upper case", "A=acme", dir, "", "is no name of a hook"},
		{"too many", "a=x;b=x;c=x;d=x;e=x;f=x;g=x;h=x;i=x;j=x;k=x;l=x;m=x;n=x;o=x;p=x;q=x", dir, "", "17 hooks are too many"},
		{"one of ZITADEL's that is none", "a=acme", dir, "b", `"b" is no hook`},
		{"no file", "none=acme", dir, "", "expected a readable file of the hook's name"},
		{"a file without a secret", "planted=acme", dir, "", "is none of Standard Webhooks"},
		{"a file of the other scheme", "of-zitadel=acme", dir, "", "is none of Standard Webhooks"},
		{"a secret of the other scheme", "a=acme", dir, "a", "is no signing key"},
		{"a long file", "long=acme", dir, "", "is over 4096 bytes"},
	}
	for _, row := range rows {
		environ := []string{"AVATARD_HOOKS_ORGANISATIONS=" + row.organizations, "AVATARD_HOOKS_SECRETS=" + row.secrets, "AVATARD_HOOKS_ZITADEL=" + row.zitadel}
		_, err := read(t, environ, "--config", writeFile(t, "c.yaml", minimal))
		if row.fault == "" && err != nil || row.fault != "" && (err == nil || !strings.Contains(err.Error(), row.fault)) {
			t.Errorf("%s: %v, want %q", row.title, err, row.fault)
		}
		if err != nil && (strings.Contains(err.Error(), "whsec_planted") || strings.Contains(err.Error(), zitadelSecret)) {
			t.Errorf("%s: a secret is in %v", row.title, err)
		}
	}
}

// New secrets count once the file has them; a file that is of no use, or open to others, changes nothing, which the log says once.
func TestHookSecretsChange(t *testing.T) {
	dir := hookSecretsIn(t, map[string]string{"a": standardSecret})
	file := filepath.Join(dir, "a")
	cfg := Config{HookOrganizations: map[string][]string{"a": {"acme"}}, HookSecrets: dir}
	var log strings.Builder
	w, err := NewHookSecrets(cfg, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil || len(w.Hooks()) != 1 {
		t.Fatalf("%+v, %v", w, err)
	}
	count := func(what string, secrets, lines int, says string) {
		t.Helper()
		for range 2 {
			w.hooks[0].look(w.logger, false)
		}
		if got := len(w.Hooks()[0].Secrets()); got != secrets || strings.Count(log.String(), "\n") != lines || !strings.Contains(log.String(), says) {
			t.Errorf("%s: %d secrets, want %d, and %d lines with %q in\n%s", what, got, secrets, lines, says, log.String())
		}
		log.Reset()
	}
	write := func(text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
	}
	count("nothing new", 1, 0, "")
	write(standardSecret+"\n"+nextSecret, 0o600)
	count("two secrets", 2, 1, "secrets of a hook read")
	write("planted", 0o600)
	count("none", 2, 1, "those before stay in use")
	if runtime.GOOS != "windows" {
		write(nextSecret, 0o644)
		count("an open file", 2, 1, "open to other users of this machine (mode 0644)")
		if _, err := NewHookSecrets(cfg, w.logger); err == nil {
			t.Error("a start takes secrets that others may read")
		}
	}
	write(nextSecret, 0o600)
	count("the new one", 1, 1, "secrets of a hook read")
	w.hooks[0].look(w.logger, true)
	if !strings.Contains(log.String(), "secrets of a hook read") {
		t.Errorf("a reload says nothing:\n%s", log.String())
	}
	if none, err := NewHookSecrets(Config{}, w.logger); none != nil || err != nil || none.Hooks() != nil {
		t.Errorf("without hooks there are %+v, %v", none, err)
	}
}
