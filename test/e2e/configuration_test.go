package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"example.org/avatard/authz"
	"example.org/avatard/internal/config"
	"example.org/avatard/test/docpage"
)

// The tables of docs/configuration.md say what the program says. With UPDATE_DOCS=1 the test writes them.
func TestConfigurationPage(t *testing.T) {
	docpage.Check(t, "docs/configuration.md", map[string]string{"settings": settingsTable(), "roles": rolesTable()})
}

func settingsTable() string {
	var b strings.Builder
	b.WriteString("| setting | variable | default | |\n|---|---|---|---|\n")
	for _, s := range config.Settings() {
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", s.Key, s.Variable(), s.Fallback, strings.ReplaceAll(s.About, "|", `\|`))
	}
	return b.String()
}

func rolesTable() string {
	var b strings.Builder
	roles := authz.DefaultPolicy().Roles
	b.WriteString("| role |")
	for _, p := range config.Permissions() {
		fmt.Fprintf(&b, " `%s` |", p)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(config.Permissions())) + "\n")
	for _, role := range slices.Sorted(maps.Keys(roles)) {
		fmt.Fprintf(&b, "| `%s` |", role)
		for _, p := range config.Permissions() {
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
	for page, want := range map[string]int{"README.md": 1, "docs/configuration.md": 1, "docs/providers/zitadel.md": 1, "docs/providers/keycloak.md": 1, "docs/providers/generic.md": 2} {
		examples := fencesOf(t, page, "yaml")
		if len(examples) != want {
			t.Errorf("%s shows %d files, want %d", page, len(examples), want)
		}
		for _, e := range examples {
			flags := &config.Flags{File: writeFile(t, "avatard.yaml", e.text)}
			// Read does not open the secret's file, which is not there.
			cfg, err := config.Read(nil, flags, "data", "issuer", "audience", "client_id", "client_secret")
			if err != nil {
				t.Errorf("%s:%d: %v", page, e.from, err)
			}
			// Either somebody is asked where callers belong and what organisations there are, or the file says it.
			if cfg.ClientSecretFile == "" || cfg.Source != config.SourceZitadel && len(cfg.StartOrganizations()) == 0 {
				t.Errorf("%s:%d is read as %+v, want a secret's file and an organisation", page, e.from, cfg)
			}
		}
	}
}

// What the page about clusters shows as a configuration file is a cluster, with everything that one needs.
func TestConfigurationExampleOfACluster(t *testing.T) {
	examples := fencesOf(t, "docs/cluster.md", "yaml")
	if len(examples) != 1 {
		t.Fatalf("%d files, want one", len(examples))
	}
	// Without the data, Read opens none of the files, which are not there.
	cfg, err := config.Read(nil, &config.Flags{File: writeFile(t, "avatard.yaml", examples[0].text)})
	if err != nil || !cfg.IsCluster() {
		t.Errorf("read as %+v, %v, want a cluster", cfg, err)
	}
}
