package main

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"avatard/authz"
)

// The tables of docs/configuration.md say what the program says. With UPDATE_DOCS=1 the test writes them.
func TestConfigurationPage(t *testing.T) {
	checkPage(t, "docs/configuration.md", map[string]string{"settings": settingsTable(), "roles": rolesTable()})
}

func settingsTable() string {
	var b strings.Builder
	b.WriteString("| setting | variable | default | |\n|---|---|---|---|\n")
	for _, s := range settings() {
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", s.key, s.variable(), s.fallback, strings.ReplaceAll(s.about, "|", `\|`))
	}
	return b.String()
}

func rolesTable() string {
	var b strings.Builder
	roles := authz.DefaultPolicy().Roles
	b.WriteString("| role |")
	for _, p := range permissions() {
		fmt.Fprintf(&b, " `%s` |", p)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(permissions())) + "\n")
	for _, role := range slices.Sorted(maps.Keys(roles)) {
		fmt.Fprintf(&b, "| `%s` |", role)
		for _, p := range permissions() {
			if slices.Contains(roles[role], p) {
				b.WriteString(" yes |")
			} else {
				b.WriteString(" – |")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// What the pages show as a configuration file is one.
func TestConfigurationExamples(t *testing.T) {
	for page, want := range map[string]int{"README.md": 1, "docs/configuration.md": 1, "docs/providers.md": 2} {
		examples := fencesOf(t, page, "yaml")
		if len(examples) != want {
			t.Errorf("%s shows %d files, want %d", page, len(examples), want)
		}
		for _, e := range examples {
			fs := flag.NewFlagSet("test", flag.ContinueOnError)
			flags := addConfigFlags(fs)
			flags.file = writeFile(t, "avatard.yaml", e.text)
			// Without "client_secret" among what is required the secret's file is not opened; it is not there.
			cfg, err := readConfig(nil, flags, "data", "issuer", "audience", "client_id")
			if err != nil {
				t.Errorf("%s:%d: %v", page, e.from, err)
			}
			// Either somebody is asked where callers belong and what organisations there are, or the file says it.
			if cfg.ClientSecretFile == "" || cfg.Source != sourceZitadel && len(cfg.organizations()) != 1 {
				t.Errorf("%s:%d is read as %+v, want a secret's file and an organisation", page, e.from, cfg)
			}
		}
	}
}
