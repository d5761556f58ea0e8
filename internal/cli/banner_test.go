package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"example.org/avatard/internal/config"
)

// A person is told what runs, without a secret; a program that reads the log gets nothing but the log.
func TestBanner(t *testing.T) {
	cfg := config.Config{
		Database: "postgres://avatard:hidden@db/avatars", Bucket: config.Bucket{Name: "pictures", Endpoint: "https://s3.example", SecretKey: "hidden"},
		Issuer: "https://id.example", ClientSecret: "hidden", TLSCertFile: "chain.pem", ShutdownGrace: 35 * time.Second,
	}
	cfg.Watch.MetricsListen = "127.0.0.1:9464"
	text := bannerText(cfg, "127.0.0.1:8443")
	for _, want := range []string{"avatard " + version(), "https://127.0.0.1:8443", "bucket pictures at https://s3.example", "https://id.example", "http://127.0.0.1:9464/metrics", "35s"} {
		if !strings.Contains(text, want) {
			t.Errorf("the banner has no %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "hidden") {
		t.Errorf("a secret is in the banner:\n%s", text)
	}
	if text := bannerText(config.Config{Data: "/var/lib/\x1b[2Javatard"}, "x"); strings.Contains(text, "\x1b") || !strings.Contains(text, "http://x\n") {
		t.Errorf("the banner moves the terminal: %q", text)
	}
	var piped bytes.Buffer
	if printBanner(&piped, cfg, "x"); piped.Len() > 0 {
		t.Errorf("a banner in a pipe: %q", piped.String())
	}
}
