package config

import (
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.org/avatard/authz"
	"example.org/avatard/authz/limit"
	"example.org/avatard/internal/certtest"
	"example.org/avatard/server/picture"
	"example.org/avatard/storage"
)

// required are the settings that serve cannot do without.
var required = []string{"data", "issuer", "audience", "client_id", "client_secret"}

func read(t *testing.T, environ []string, args ...string) (Config, error) {
	t.Helper()
	cfg, _, err := ReadWithFiles(environ, flagsOf(t, args...), required...)
	return cfg, err
}

// flagsOf returns what a command line of flags gives.
func flagsOf(t *testing.T, args ...string) *Flags {
	t.Helper()
	flags := new(Flags)
	for i := 0; i < len(args); i++ {
		name, text, hasValue := strings.Cut(strings.TrimPrefix(args[i], "--"), "=")
		at := slices.IndexFunc(Settings(), func(s Setting) bool { return s.FlagName() == name })
		if at >= 0 && Settings()[at].IsSwitch && !hasValue {
			text, hasValue = "true", true
		}
		if !hasValue && i+1 < len(args) {
			i, text = i+1, args[i+1]
		}
		switch {
		case name == "config":
			flags.File = text
		case at >= 0:
			flags.Set(Settings()[at].Key, text)
		default:
			t.Fatalf("%q: no such flag", args[i])
		}
	}
	return flags
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// minimal is a file with the required settings and nothing else.
const minimal = "data: /var/lib/avatard\nissuer: https://id.example\naudience: \"1\"\nclient_id: c\nclient_secret: s\n"

// everySettingIn returns a file that sets everything once.
func everySettingIn(secret, hooks string, pair *certtest.Files) string {
	return `
# every setting, once
listen: "[::]:80"
data: /var/lib/avatard
tls: {cert_file: ` + pair.Chain + `, key_file: ` + pair.Key + `}
issuer: https://id.example/realm
audience: 069629023906488334   # an id of digits keeps its zero
client_id: avatard
client_secret_file: ` + secret + `
realm: pictures of us
audit: {retention: 100d, refusals: 36h, refusal_rows: 500}
receipts: {retention: 0}
introspection: {cache_ttl: 0s, timeout: 1s, unknown_rate: 50, unknown_burst: 75}
authz:
  source: claims
  project_id: 7e3
  instance_organisation: 42
  roles:
    ORG_OWNER: [user.write, user.read]
    "GUEST": []
  instance_roles:
    IAM_OWNER:
      - org.delete
  allow_pat: true
  allow_impersonation: true
assets:
  public: false
reflection: false
users:
  register_on_admin_upload: true
  directory: zitadel
organisations: [0x10, "acme, inc"]
cors:
  origins: [https://app.example:8443]
  headers: [X-App-Version, sentry-trace]
trusted_proxies: [10.0.0.0/8, "2001:db8::1"]
rate_limit: {caller: 5, caller_burst: 6, address: 0.5, address_burst: 7}
pictures: {max_upload_bytes: 1048576, max_pixels: 50000000, resized_cache_bytes: 1000000, default_image: /srv/nobody.png}
limits: {requests: 100, requests_per_address: 10, connections: 200, connections_per_address: 20, header_bytes: 8192, idle_timeout: 2m}
hooks: {organisations: {accounts: [acme, globex], of-zitadel: [acme]}, secrets: ` + hooks + `, zitadel: [of-zitadel]}
metrics: {listen: ":9464"}
tracing: {endpoint: "http://127.0.0.1:4318", ratio: 0.25, trust_parent: true}
shutdown:
  delay: 10s
  grace: 1m
log:
  level: debug
  format: json
`
}

func TestConfigOfAFile(t *testing.T) {
	secret := writeFile(t, "secret", "\n hunter2 \n")
	pair, _ := certtest.NewFiles(t)
	hooks := hookSecretsIn(t, map[string]string{"accounts": standardSecret, "of-zitadel": zitadelSecret})
	file := writeFile(t, "avatard.yaml", everySettingIn(secret, hooks, pair))
	got, err := read(t, nil, "--config", file)
	if err != nil {
		t.Fatal(err)
	}
	want := Config{File: file,
		Listen: "[::]:80", Data: "/var/lib/avatard", TLSCertFile: pair.Chain, TLSKeyFile: pair.Key,
		Issuer: "https://id.example/realm", Audience: "069629023906488334",
		ClientID: "avatard", ClientSecret: "hunter2", ClientSecretFile: secret, Realm: "pictures of us",
		IntrospectionTimeout: time.Second, Unknown: limit.Rate{PerSecond: 50, Burst: 75},
		Source: "claims", Claims: "zitadel", ProjectID: "7e3",
		Policy: authz.Policy{
			InstanceOrganization: "42",
			Roles:                map[string][]authz.Permission{"ORG_OWNER": {authz.UserWrite, authz.UserRead}, "GUEST": {}},
			InstanceRoles:        map[string][]authz.Permission{"IAM_OWNER": {authz.OrgDelete}},
		},
		AllowPAT: true, AllowImpersonation: true, RegisterOnAdminUpload: true, Directory: DirectoryZitadel,
		Pictures: picture.Config{MaxUploadBytes: 1 << 20, MaxPixels: 50_000_000}, ResizedBytes: 1_000_000, DefaultImage: "/srv/nobody.png",
		Organizations: []string{"0x10", "acme, inc"}, Origins: []string{"https://app.example:8443"}, CORSHeaders: []string{"X-App-Version", "sentry-trace"},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::1/128")},
		CallerRate:     limit.Rate{PerSecond: 5, Burst: 6}, AddressRate: limit.Rate{PerSecond: 0.5, Burst: 7},
		Keep:        storage.Retention{Changes: 100 * day, Refusals: 36 * time.Hour, RefusalRows: 500},
		MaxRequests: 100, MaxRequestsPerAddress: 10, MaxConnections: 200, MaxConnectionsPerAddress: 20, MaxHeaderBytes: 8192, IdleTimeout: 2 * time.Minute,
		HookOrganizations: map[string][]string{"accounts": {"acme", "globex"}, "of-zitadel": {"acme"}}, HookSecrets: hooks, HookZitadel: []string{"of-zitadel"},
		Watch: Watch{MetricsListen: "127.0.0.1:9464", TracingEndpoint: "http://127.0.0.1:4318/v1/traces",
			TracingRatio: 0.25, TracingTrustParent: true},
		ShutdownDelay: 10 * time.Second, ShutdownGrace: time.Minute, LogLevel: slog.LevelDebug, LogFormat: "json",
	}
	if diff := cmp.Diff(want, got, samePrefix()); diff != "" {
		t.Errorf("Read (-want +got):\n%s", diff)
	}
}

func TestConfigDefaults(t *testing.T) {
	file := writeFile(t, "c.yaml", minimal)
	got, err := read(t, nil, "--config", file)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.File, want.SecretsInFile = file, []string{"client_secret"}
	want.Data, want.Issuer, want.Audience = "/var/lib/avatard", "https://id.example", "1"
	want.ClientID, want.ClientSecret = "c", "s"
	want.ProjectID = "1" // with ZITADEL the audience is the project
	if diff := cmp.Diff(want, got, samePrefix()); diff != "" {
		t.Errorf("Read (-want +got):\n%s", diff)
	}
	if got.AllowPAT || got.AllowImpersonation || got.RegisterOnAdminUpload || got.Directory != directoryNone || len(got.Policy.InstanceRoles) > 0 {
		t.Errorf("a default opens something: %+v", got)
	}
}

// precedenceValues are three valid texts for each setting that does not take any id.
var precedenceValues = map[string][3]string{
	"data":                           {"/one", "/two", "/three"}, // a relative one would start from the file
	"database":                       {"host=one", "postgres://two/db", "postgresql:///three"},
	"bucket.endpoint":                {"http://one", "https://two:7070", "https://three"},
	"bucket.accept_unknown":          {"true", "false", "true"},
	"listen":                         {":1", ":2", ":3"},
	"issuer":                         {"https://a", "https://b", "http://127.0.0.1:3"},
	"discovery_url":                  {"https://a/d", "https://b/d", "http://127.0.0.1:3/d"},
	"introspection.endpoint":         {"https://a/i", "https://b/i", "http://127.0.0.1:3/i"},
	"introspection.cache_ttl":        {"1s", "2s", "3s"},
	"introspection.timeout":          {"1s", "2s", "3s"},
	"introspection.unknown_rate":     {"0", "0.5", "1000"},
	"introspection.unknown_burst":    {"1", "2", "3"},
	"authz.source":                   {"zitadel", "claims", "zitadel"},
	"trusted_proxies":                {"10.0.0.0/8", "192.0.2.1", "2001:db8::/32,::1"},
	"rate_limit.caller":              {"0", "0.5", "1000"},
	"rate_limit.caller_burst":        {"1", "2", "3"},
	"rate_limit.address":             {"0", "0.5", "1000"},
	"rate_limit.address_burst":       {"1", "2", "3"},
	"limits.requests":                {"1", "2", "3"},
	"limits.requests_per_address":    {"1", "2", "3"},
	"limits.connections":             {"1", "2", "3"},
	"limits.connections_per_address": {"1", "2", "3"},
	"pictures.max_upload_bytes":      {"65536", "1000000", "16777216"},
	"pictures.max_pixels":            {"1000000", "12500000", "100000000"},
	"pictures.resized_cache_bytes":   {"0", "1", "1073741824"},
	"pictures.default_image":         {"/one", "/two", "/three"},
	"limits.header_bytes":            {"4096", "8192", "1048576"},
	"limits.idle_timeout":            {"1s", "90s", "24h"},
	"hooks.organisations":            {"a=acme", "b=acme", "a=acme,globex;b=acme"},
	"hooks.zitadel":                  {"a,b", "b,a", "a,b,a"},
	"audit.stream":                   {"/one", "-", "/three"},
	"audit.retention":                {"0", "36h", "400d"},
	"audit.refusals":                 {"1h", "30d", "0"},
	"audit.refusal_rows":             {"0", "1000", "2000000"},
	"receipts.retention":             {"0", "1d", "36500d"},
	"authz.roles":                    {"A=user.read", "B=user.read", "C=user.read;D=org.delete,user.write"},
	"authz.instance_roles":           {"A=user.read", "B=user.read", "C=user.read"},
	"authz.claims":                   {"keycloak", "zitadel", "generic"},
	"authz.role_claims":              {"roles", "realm_access.roles", `a\\.b,c.d`},
	"authz.organisation_claim":       {"org", "organization", `https://a\\.example/org`},
	"authz.allow_pat":                {"true", "false", "true"},
	"authz.allow_impersonation":      {"true", "false", "true"},
	"assets.public":                  {"false", "true", "false"},
	"reflection":                     {"false", "true", "false"},
	"page.enabled":                   {"true", "false", "true"},
	"page.client_id":                 {"a", "b", "c"},
	"page.scopes":                    {"openid", "openid,b", "openid,urn:c"},
	"users.register_on_admin_upload": {"true", "false", "true"},
	"users.directory":                {"zitadel", "none", "zitadel"},
	"metrics.listen":                 {":1", "0.0.0.0:2", "[::1]:3"},
	"tracing.endpoint":               {"http://a", "https://b/c", "http://127.0.0.1:3/v1/traces"},
	"tracing.ratio":                  {"0", "0.5", "1"},
	"tracing.trust_parent":           {"true", "false", "true"},
	"shutdown.delay":                 {"1s", "2s", "3s"},
	"shutdown.grace":                 {"1s", "2s", "3s"},
	"cors.origins":                   {"https://a", "https://b", "https://c,http://localhost:5173"},
	"cors.headers":                   {"X-A", "x-b", "X-C,sentry-trace"},
	"log.level":                      {"debug", "warn", "error"},
	"log.format":                     {"json", "text", "json"},
}

// Every setting has its three names, and the later source wins: file, variable, flag.
func TestConfigPrecedence(t *testing.T) {
	pair, _ := certtest.NewFiles(t)
	copies := func(file string) (names [3]string) {
		for i := range names {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			names[i] = writeFile(t, "copy.pem", string(data))
		}
		return names
	}
	beside := map[string][]string{ // what a setting cannot do without
		"cors.headers":         {"AVATARD_CORS_ORIGINS=https://a"},
		"page.enabled":         {"AVATARD_PAGE_CLIENT_ID=pages"},
		"page.scopes":          {"AVATARD_PAGE_CLIENT_ID=pages"},
		"authz.instance_roles": {"AVATARD_AUTHZ_INSTANCE_ORGANISATION=x"},
		"authz.claims":         {"AVATARD_DEFAULT_ORGANISATION=x"},
		"authz.role_claims":    {"AVATARD_AUTHZ_CLAIMS=keycloak"},

		"authz.organisation_claim": {"AVATARD_AUTHZ_CLAIMS=keycloak"},
		"tls.cert_file":            {"AVATARD_TLS_KEY_FILE=" + pair.Key},
		"tls.key_file":             {"AVATARD_TLS_CERT_FILE=" + pair.Chain},

		"hooks.organisations": {"AVATARD_HOOKS_SECRETS=" + hookSecretsIn(t, map[string]string{"a": standardSecret, "b": standardSecret})},
		"hooks.secrets":       {"AVATARD_HOOKS_ORGANISATIONS=a=acme"},
		"hooks.zitadel": {"AVATARD_HOOKS_ORGANISATIONS=a=acme;b=acme",
			"AVATARD_HOOKS_SECRETS=" + hookSecretsIn(t, map[string]string{"a": zitadelSecret, "b": zitadelSecret})},
	}
	values := maps.Clone(precedenceValues)
	oneHook := func() string { return hookSecretsIn(t, map[string]string{"a": standardSecret}) }
	values["hooks.secrets"] = [3]string{oneHook(), oneHook(), oneHook()}
	values["tls.cert_file"], values["tls.key_file"] = copies(pair.Chain), copies(pair.Key)
	addressed := writeFile(t, "address", "host=a dbname=b")
	values["database_file"], values["bucket.secret_key_file"], values["bucket.key_file"] = copies(addressed), copies(addressed), copies(addressed)
	whole := clusterVariables(addressed)
	for key := range whole {
		for other, variable := range whole {
			if other != key && (key != "database_file" || other != "database") {
				beside[key] = append(beside[key], variable)
			}
		}
	}
	for _, s := range Settings() {
		if s.Key == "client_secret_file" || s.Key == "client_key_file" {
			continue // exclude client_secret; TestConfigOfAFile and TestClientKeyFile have them
		}
		v, ok := values[s.Key]
		if !ok {
			v = [3]string{"one", "two", "three"}
		}
		t.Run(s.Key, func(t *testing.T) { testPrecedence(t, s, v, beside[s.Key]) })
	}
}

// testPrecedence gives a setting three values: in the file, as a variable and as a flag. extra are variables that it cannot do without.
func testPrecedence(t *testing.T, s Setting, v [3]string, extra []string) {
	without := minimalWithout(s.Key)
	with := without + yamlLine(s, v[0])
	var want [3]Config // as each value alone makes it
	for i, text := range v {
		want[i] = mustRead(t, without, append(extra, s.Variable()+"="+text))
	}
	for i, got := range []Config{
		mustRead(t, with, extra),
		mustRead(t, with, append(extra, s.Variable()+"="+v[1])),
		mustRead(t, with, append(extra, s.Variable()+"="+v[1]), "--"+s.FlagName()+"="+v[2]),
	} {
		got.File, got.SecretsInFile = want[i].File, want[i].SecretsInFile // each has a file of its own
		if diff := cmp.Diff(want[i], got, samePrefix()); diff != "" {
			t.Errorf("source %d (-want +got):\n%s", i, diff)
		}
	}
	for i := range want {
		want[i].File, want[i].SecretsInFile = want[0].File, want[0].SecretsInFile
	}
	if cmp.Equal(want[0], want[1], samePrefix()) || cmp.Equal(want[1], want[2], samePrefix()) {
		t.Error("the values of this row make no difference")
	}
}

// samePrefix compares networks, which hide what they consist of.
func samePrefix() cmp.Option { return cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }) }

func mustRead(t *testing.T, file string, environ []string, args ...string) Config {
	t.Helper()
	cfg, err := read(t, environ, append(args, "--config", writeFile(t, "c.yaml", file))...)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func minimalWithout(key string) string {
	var b strings.Builder
	for line := range strings.Lines(minimal) {
		if !strings.HasPrefix(line, key+":") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// yamlLine writes a setting as the file would have it.
func yamlLine(s Setting, text string) string {
	key, indent := s.Key, ""
	if group, rest, ok := strings.Cut(s.Key, "."); ok {
		key, indent = group+":\n  "+rest, "  "
	}
	switch {
	case s.table != nil:
		rows, _ := textValue(text).asTable()
		key += ":\n"
		for _, name := range sortedKeys(rows) {
			key += indent + "  " + name + ": [" + strings.Join(rows[name], ", ") + "]\n"
		}
		return key
	case s.list != nil:
		return key + ": [" + text + "]\n"
	}
	return key + ": \"" + text + "\"\n"
}

func TestConfigSwitchAndEmptyVariable(t *testing.T) {
	got := mustRead(t, minimal, []string{"AVATARD_AUDIENCE=", "AVATARD_URL=http://x", "AVATARD_TOKEN=t", "PATH=/bin"},
		"--authz-allow-pat", "--assets-public=false")
	if !got.AllowPAT || got.PublicAssets || got.Audience != "1" {
		t.Errorf("got AllowPAT %v, PublicAssets %v, Audience %q, want true, false, 1", got.AllowPAT, got.PublicAssets, got.Audience)
	}
}

func faultsOf(t *testing.T, err error) []Fault {
	t.Helper()
	ce, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("error is %v, want an *Error", err)
	}
	return ce.Faults
}
