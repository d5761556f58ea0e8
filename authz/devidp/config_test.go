package devidp

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConfigIsChecked(t *testing.T) {
	valid := func() Config {
		return Config{
			Issuer:              "http://127.0.0.1:1/idp",
			ProjectID:           "p",
			Organizations:       []Organization{{ID: "o"}},
			People:              []Account{{ID: "a", Login: "a", Organization: "o"}},
			Machines:            []Account{{ID: "m", Login: "m", Organization: "o", Roles: map[string][]string{"R": {"o"}}}},
			IntrospectionClient: Client{ID: "c"},
			ApplicationID:       "app",
			RedirectURIs:        []string{"http://127.0.0.1/callback"},
		}
	}
	if _, err := New(valid()); err != nil {
		t.Fatalf("New of a valid configuration: %v", err)
	}
	for _, issuer := range []string{"http://localhost:1", "http://[::1]:1/a/b", "https://127.0.0.2/idp"} {
		cfg := valid()
		cfg.Issuer = issuer
		if _, err := New(cfg); err != nil {
			t.Errorf("issuer %s: %v", issuer, err)
		}
	}
	for _, row := range []struct {
		about string
		spoil func(*Config)
	}{
		{"another machine could reach it", func(c *Config) { c.Issuer = "http://192.0.2.1/idp" }},
		{"TLS does not make it private", func(c *Config) { c.Issuer = "https://id.example/idp" }},
		{"a name that only begins like loopback", func(c *Config) { c.Issuer = "http://127.0.0.1.example/idp" }},
		{"no scheme", func(c *Config) { c.Issuer = "127.0.0.1:1/idp" }},
		{"issuers are compared as text", func(c *Config) { c.Issuer += "/" }},
		{"two slashes", func(c *Config) { c.Issuer = "http://127.0.0.1:1//idp" }},
		{"only a slash", func(c *Config) { c.Issuer = "http://127.0.0.1:1/" }},
		{"a path that a router reads as a pattern", func(c *Config) { c.Issuer += "{x}" }},
		{"escapes in the path", func(c *Config) { c.Issuer += "%2F" }},
		{"query in the issuer", func(c *Config) { c.Issuer += "?a=b" }},
		{"no project", func(c *Config) { c.ProjectID = "" }},
		{"no introspection client", func(c *Config) { c.IntrospectionClient.ID = "" }},
		{"negative lifetime", func(c *Config) { c.TokenLifetime = -1 }},
		{"redirect without scheme", func(c *Config) { c.RedirectURIs = []string{"/callback"} }},
		{"organisation twice", func(c *Config) { c.Organizations = append(c.Organizations, c.Organizations[0]) }},
		{"account without id", func(c *Config) { c.People[0].ID = "" }},
		{"account with a colon", func(c *Config) { c.People[0].ID = "a:b" }},
		{"person and machine of one id", func(c *Config) { c.Machines[0].ID = "a" }},
		{"machine named as the introspection client", func(c *Config) { c.Machines[0].Login = "c" }},
		{"machine named as the application", func(c *Config) { c.Machines[0].Login = "app" }},
		{"homeless account", func(c *Config) { c.People[0].Organization = "x" }},
		{"role in an unknown organisation", func(c *Config) { c.Machines[0].Roles["R"] = []string{"x"} }},
	} {
		cfg := valid()
		row.spoil(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: New succeeded", row.about)
		}
	}
}

func TestSeedIsTheSameButForItsSecrets(t *testing.T) {
	_, one, err := Seed(Config{Issuer: "http://localhost:1/idp"})
	if err != nil {
		t.Fatal(err)
	}
	_, two, err := Seed(Config{Issuer: "http://localhost:1/idp"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	plain := regexp.MustCompile(`^[A-Za-z0-9_.:/-]+$`)
	for i, v := range one.Variables() {
		names = append(names, v.Name)
		if !plain.MatchString(v.Value) && v.Name != "LOGIN_SCOPES" {
			t.Errorf("%s=%q needs quoting in a shell", v.Name, v.Value)
		}
		secret := strings.HasPrefix(v.Name, "TOKEN_") || v.Name == "AVATARD_CLIENT_SECRET"
		if same := two.Variables()[i] == v; same == secret {
			t.Errorf("%s: the same at the next start = %t, want %t", v.Name, same, !secret)
		}
	}
	want := []string{
		"AVATARD_ISSUER", "AVATARD_AUDIENCE", "AVATARD_CLIENT_ID", "AVATARD_CLIENT_SECRET", "LOGIN_CLIENT_ID", "LOGIN_SCOPES",
		"ORG_ACME", "ORG_GLOBEX", "ORG_INITECH", "USER_ALICE", "USER_BOB", "USER_CAROL", "USER_DAVE", "USER_ERIN",
		"TOKEN_ADMIN", "TOKEN_ALICE", "TOKEN_EXPIRED", "TOKEN_GLOBEX_ADMIN", "TOKEN_GLOBEX_OWNER", "TOKEN_MANAGER",
		"TOKEN_NOBODY", "TOKEN_OTHER_AUDIENCE", "TOKEN_REVOKED", "TOKEN_VIEWER", "TOKEN_WRONG_AUDIENCE",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("names of the variables (-want +got):\n%s", diff)
	}
	avatars := map[string]bool{}
	for _, user := range one.Users {
		avatars[user.Variable] = user.Avatar
	}
	if diff := cmp.Diff(map[string]bool{"USER_ALICE": true, "USER_BOB": false, "USER_CAROL": true, "USER_DAVE": true, "USER_ERIN": false}, avatars); diff != "" {
		t.Errorf("who has an avatar (-want +got):\n%s", diff)
	}
}

func TestDiscoveryNamesWhatIsServed(t *testing.T) {
	f := start(t)
	doc := decode(t, f.get(t, f.seeded.Issuer+"/.well-known/openid-configuration").body)
	if doc["issuer"] != f.seeded.Issuer {
		t.Errorf("issuer = %v, want %s", doc["issuer"], f.seeded.Issuer)
	}
	endpoints := 0
	for name, value := range doc {
		address, ok := value.(string)
		if name == "issuer" || !ok {
			continue
		}
		endpoints++
		if a := f.get(t, address); a.status == http.StatusNotFound {
			t.Errorf("%s %s is not there", name, address)
		}
	}
	if endpoints != 6 {
		t.Errorf("%d endpoints named, want authorize, token, introspection, userinfo, revocation and keys: %v", endpoints, doc)
	}
	for name, want := range map[string]any{
		"grant_types_supported":                 []any{"authorization_code", "client_credentials"},
		"response_types_supported":              []any{"code"},
		"code_challenge_methods_supported":      []any{"S256"},
		"id_token_signing_alg_values_supported": []any{"ES256"},

		"introspection_endpoint_auth_methods_supported":            []any{"client_secret_basic", "private_key_jwt"},
		"introspection_endpoint_auth_signing_alg_values_supported": []any{"ES256"},
	} {
		if diff := cmp.Diff(want, doc[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, path := range []string{"", "/", "/healthz", "/ready", "/end_session", "/device_authorization", "/login/", "/nothing"} {
		if a := f.get(t, f.seeded.Issuer+path); a.status != http.StatusNotFound {
			t.Errorf("%q: status %d, want 404", path, a.status)
		}
	}
	root := strings.TrimSuffix(f.seeded.Issuer, "/idp")
	for _, path := range []string{"/keys", "/.well-known/openid-configuration", "/idpkeys"} {
		if a := f.get(t, root+path); a.status != http.StatusNotFound {
			t.Errorf("%q outside the issuer: status %d, want 404", path, a.status)
		}
	}
}
