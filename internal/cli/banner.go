package cli

import (
	"fmt"
	"io"
	"strings"

	"example.org/avatard/internal/config"
)

// printBanner tells a person at a terminal what has been started. Elsewhere, where programs read, the log says all of it.
func printBanner(w io.Writer, cfg config.Config, address string) {
	if isTerminal(w) {
		_, _ = io.WriteString(w, bannerText(cfg, address)) // the server does not depend on it
	}
}

// bannerText says where the server answers, where its data is and whom it asks about tokens. Nothing in it is a secret.
func bannerText(cfg config.Config, address string) string {
	scheme := "http"
	if cfg.TLSCertFile != "" {
		scheme = "https"
	}
	data := cfg.Data
	if cfg.IsCluster() {
		data = fmt.Sprintf("PostgreSQL, and bucket %s at %s", cfg.Bucket.Name, cfg.Bucket.Endpoint)
	}
	lines := [][2]string{{"answers at", scheme + "://" + address}, {"data", data}, {"provider", cfg.Issuer}}
	if cfg.Watch.MetricsListen != "" {
		lines = append(lines, [2]string{"metrics", "http://" + cfg.Watch.MetricsListen + "/metrics"})
	}
	lines = append(lines, [2]string{"to end it", "Ctrl-C; calls under way may take " + cfg.ShutdownGrace.String()})
	var b strings.Builder
	fmt.Fprintf(&b, "\n  avatard %s\n\n", version())
	for _, line := range lines {
		fmt.Fprintf(&b, "  %-12s%s\n", line[0], printableLine(line[1]))
	}
	b.WriteString("\n")
	return b.String()
}
