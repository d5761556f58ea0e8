package config

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A relative path in the file starts from where the file lies, wherever the process is; one of a flag or variable from there.
func TestRelativePathsOfTheConfiguration(t *testing.T) {
	etc := t.TempDir()
	t.Chdir(t.TempDir())
	if err := os.WriteFile(filepath.Join(etc, "secret"), []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(etc, "avatard.yaml")
	if err := os.WriteFile(file, []byte("data: ../pictures\nissuer: https://id.example\naudience: a\nclient_id: c\nclient_secret_file: secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := read(t, nil, "--config", file)
	if err != nil || cfg.Data != filepath.Join(filepath.Dir(etc), "pictures") || cfg.ClientSecretFile != filepath.Join(etc, "secret") || cfg.ClientSecret != "s" {
		t.Errorf("read %+v, %v, want paths beside the file", cfg, err)
	}
	cfg, err = read(t, []string{"AVATARD_DATA=here"}, "--config", file)
	if err != nil || cfg.Data != "here" {
		t.Errorf("a variable's path is %q, %v, want it as it is", cfg.Data, err)
	}
	cfg, err = read(t, []string{"AVATARD_CONFIG=" + file}, "--data", "there")
	if err != nil || cfg.Data != "there" {
		t.Errorf("a flag's path is %q, %v, want it as it is", cfg.Data, err)
	}
	paths := 0
	for _, s := range Settings() {
		if strings.HasSuffix(s.Key, "_file") && !s.isPath {
			t.Errorf("%s is a path and not marked as one", s.Key)
		}
		if s.isPath {
			paths++
		}
	}
	if paths < 5 {
		t.Errorf("%d settings are paths", paths)
	}
}

// A start that lets tokens pass a network in cleartext logs a warning.
func TestCleartextIsTold(t *testing.T) {
	for _, tt := range []struct {
		args string
		want bool
	}{
		{"--listen :8080", true},
		{"--listen 0.0.0.0:8080", true},
		{"--listen [::]:8080", true},
		{"--listen 192.0.2.1:8080", true},
		{"--listen avatars.internal:8080", true},
		{"--listen 127.0.0.1:8080", false},
		{"--listen [::1]:8080", false},
		{"--listen localhost:8080", false},
		{"--listen :8080 --trusted-proxies 10.0.0.0/8", false},
	} {
		cfg := mustRead(t, minimal, nil, strings.Fields(tt.args)...)
		var log bytes.Buffer
		WarnOfCleartext(cfg, slog.New(slog.NewTextHandler(&log, nil)))
		if got := strings.Contains(log.String(), "cleartext"); got != tt.want {
			t.Errorf("%s: told %v, want %v: %s", tt.args, got, tt.want, &log)
		}
	}
	cfg := mustRead(t, minimal, nil, "--listen", ":8080")
	cfg.TLSCertFile = "cert.pem"
	var log bytes.Buffer
	WarnOfCleartext(cfg, slog.New(slog.NewTextHandler(&log, nil)))
	if log.Len() > 0 {
		t.Errorf("with TLS it says %s", &log)
	}
}
