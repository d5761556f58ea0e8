package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// One start shows everything that is wrong, wherever it came from, and no secret.
func TestConfigNamesEveryFaultAtOnce(t *testing.T) {
	file := writeFile(t, "avatard.yaml", `listen: "8080"
datta: /var/lib/avatard
issuer: http://id.example
client_secret: hunter2
client_secret: hunter3
realm: 'a"b'
introspection:
  cache_ttl: 5
  cachettl: 5s
  timeout: 1h
authz:
  roles:
    ORG_OWNER: [user.writ, user.read]
    ORG_X: user.read
  instance_roles: {IAM_OWNER: [user.reed]}
  project_id:
assets: false
organisations: {a: b}
log: {level: loud, format: xml}
shutdown.grace: 5s
users:
  register_on_admin_upload: yes
`)
	missing := filepath.Join(t.TempDir(), "no-secret")
	_, err := read(t, []string{"AVATARD_LISTENN=:1", "AVATARD_AUTHZ_ALLOW_PAT=hunter4", "AVATARD_SHUTDOWN_GRACE=-1s"},
		"--config", file, "--client-secret-file", missing, "--audience", "a\nb")
	var got []string
	for _, f := range faultsOf(t, err) {
		got = append(got, f.Where)
		if _, expected, ok := strings.Cut(f.Problem, "expected"); !ok || strings.TrimSpace(expected) == "" {
			t.Errorf("%s: %q does not say what is expected", f.Where, f.Problem)
		}
	}
	at := func(line int, key string) string { return fmt.Sprintf("%s:%d %s", file, line, key) }
	want := []string{
		at(1, "listen"), at(2, "datta"), at(3, "issuer"), at(5, "client_secret"), at(6, "realm"),
		at(8, "introspection.cache_ttl"), at(9, "introspection.cachettl"), at(10, "introspection.timeout"),
		at(12, "authz.roles"), at(12, "authz.roles"), at(15, "authz.instance_roles"), at(16, "authz.project_id"),
		at(17, "assets"), at(18, "organisations"), at(19, "log.level"), at(19, "log.format"),
		at(20, "shutdown.grace"), at(22, "users.register_on_admin_upload"),
		"AVATARD_AUTHZ_ALLOW_PAT", "AVATARD_SHUTDOWN_GRACE", "AVATARD_LISTENN",
		"--audience", "data", "client_id", "client_secret", "authz.instance_roles",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s\n%v", diff, err)
	}
	for _, secret := range []string{"hunter2", "hunter3"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the faults show the secret %s:\n%v", secret, err)
		}
	}
}

// configFault is a configuration with one fault.
type configFault struct {
	name    string
	file    string
	environ []string
	args    []string
	want    string // contained in the only fault
}

// configFaults are those that no other file is needed for.
var configFaults = []configFault{
	{"a permission that does not exist is named, with its role", minimal + "authz: {roles: {ORG_X: [user.writ]}}", nil, nil, `role ORG_X: "user.writ"`},
	{"instance-wide roles need their organisation", minimal + "authz: {instance_roles: {A: [user.read]}}", nil, nil, "authz.instance_organisation"},
	{"the issuer must be a URL", minimalWithout("issuer"), nil, []string{"--issuer", "id.example"}, "issuer"},
	{"the issuer must have no query", minimalWithout("issuer"), nil, []string{"--issuer", "https://a/?x=1"}, "query"},
	{"the issuer must have no empty query either", minimalWithout("issuer"), nil, []string{"--issuer", "https://a/?"}, "query"},
	{"the issuer must have no fragment", minimalWithout("issuer"), nil, []string{"--issuer", "https://a/#"}, "fragment"},
	{"a name that only begins like loopback is not", minimalWithout("issuer"), nil, []string{"--issuer", "http://127.0.0.1.example"}, "plain http"},
	{"another scheme is no provider", minimalWithout("issuer"), nil, []string{"--issuer", "ftp://127.0.0.1"}, "https"},
	{"a port is a number", minimal, nil, []string{"--listen", ":http"}, "port"},
	{"a port has 16 bits", minimal, nil, []string{"--listen", ":65536"}, "port"},
	{"a duration has a unit", minimal, nil, []string{"--introspection-cache-ttl", "5"}, "unit"},
	{"no negative duration", minimal, nil, []string{"--introspection-cache-ttl", "-1s"}, "0s to 10m0s"},
	{"a provider must get some time", minimal, nil, []string{"--introspection-timeout", "0"}, "10ms to 30s"},
	{"running calls must get some time", minimal, nil, []string{"--shutdown-grace", "0"}, "100ms to 10m0s"},
	{"an idle connection stays for some time", minimal, nil, []string{"--limits-idle-timeout", "0"}, "1s to 24h0m0s"},
	{"an age has an end", minimal, nil, []string{"--audit-retention", "99999999d"}, "99999999d is out of range; expected 1h to 36500d"},
	{"an age has a unit", minimal, nil, []string{"--audit-retention", "400"}, "days such as 400d"},
	{"an age of half an hour", minimal, nil, []string{"--audit-refusals", "30m"}, "1h to 36500d, or 0 for ever"},
	{"an age longer than anybody lives", minimal, nil, []string{"--receipts-retention", "65000d"}, "1h to 36500d, or 0 for ever"},
	{"an age of no number", minimal, nil, []string{"--receipts-retention", "-1d"}, "no length of time"},
	{"rows are whole", minimal, nil, []string{"--audit-refusal-rows", "1.5"}, "number of rows"},
	{"an empty secret", minimalWithout("client_secret") + "client_secret: \"\"\n", nil, nil, "empty"},
	{"a certificate without its key", minimal + "tls: {cert_file: c}", nil, nil, "tls.key_file: is not set"},
	{"a key without its certificate", minimal, nil, []string{"--tls-key-file", "k"}, "tls.cert_file: is not set"},
	{"permissions come from somewhere", minimal, nil, []string{"--authz-source", "roles"}, "claims or zitadel"},
	{"roles that nobody would look at", minimal + "authz: {source: zitadel, roles: {A: [user.read]}}", nil, nil, "authz.roles: counts for nothing"},
	{"a directory is somebody's", minimal, nil, []string{"--users-directory", "ldap"}, "none or zitadel"},
	{"ZITADEL knows the users of ZITADEL", minimal + "authz: {claims: keycloak}\nusers: {directory: zitadel}", nil, nil, "users.directory: is zitadel beside authz.claims: keycloak"},
	{"a project that nobody would look at", minimal + "authz: {source: zitadel, project_id: 1}", nil, nil, "authz.project_id: counts for nothing"},
	{"claims are somebody's", minimal, nil, []string{"--authz-claims", "okta"}, "zitadel, keycloak or generic"},
	{"a place has names", minimal + "authz: {claims: keycloak, role_claims: [a, b..c]}", nil, nil, `"b..c" is no place`},
	{"a place is not deep", minimal + "authz: {claims: keycloak, organisation_claim: a.b.c.d.e.f.g.h.i}", nil, nil, "1 to 8 names"},
	{"places are few", minimal + "authz: {claims: keycloak, role_claims: [a, b, c, d, e, f, g, h, i]}", nil, nil, "names 9 places"},
	{"places that nobody would look at", minimal + "authz: {role_claims: [roles]}", nil, nil, "authz.role_claims: counts for nothing"},
	{"an organisation that nobody would look at", minimal + "authz: {organisation_claim: org}", nil, nil, "authz.organisation_claim: counts for nothing"},
	{"ZITADEL has its own claims", minimal + "authz: {source: zitadel, claims: keycloak}", nil, nil, "authz.claims: is keycloak beside authz.source"},
	{"roles of no organisation do not reach all of them", minimal + "authz: {claims: keycloak, instance_organisation: a, instance_roles: {A: [user.read]}}", nil, nil, "authz.instance_roles: count nowhere"},
	{"nobody would have an organisation", minimal + "authz: {claims: generic, role_claims: [roles]}", nil, nil, "nobody would have an organisation"},
	{"a project of nobody's", minimal + "default_organisation: a\nauthz: {claims: generic, project_id: x}", nil, nil, "authz.project_id: counts for nothing"},
	{"a rate is a number", minimal, nil, []string{"--rate-limit-caller", "5/s"}, "no rate"},
	{"a rate is not negative", minimal, nil, []string{"--rate-limit-address", "-1"}, "no rate"},
	{"a rate is a real number", minimal, nil, []string{"--introspection-unknown-rate", "NaN"}, "no rate"},
	{"a burst is a whole number", minimal, nil, []string{"--rate-limit-caller-burst", "1.5"}, "no burst"},
	{"a burst of nothing lets nobody in", minimal, nil, []string{"--introspection-unknown-burst", "0"}, "no burst"},
	{"a proxy has an address", minimal, nil, []string{"--trusted-proxies", "proxy.example"}, "no network"},
	{"a network has no bits behind its length", minimal, nil, []string{"--trusted-proxies", "10.0.0.1/8"}, "expected 10.0.0.0/8"},
	{"a network in IPv6 clothes", minimal, nil, []string{"--trusted-proxies", "::ffff:10.0.0.1"}, "expected 10.0.0.1"},
	{"not everybody is a proxy", minimal, nil, []string{"--trusted-proxies", "10.0.0.0/8,::/0"}, `"::/0" would believe everybody`},
	{"an origin has no path", minimal + "cors: {origins: [https://a, https://a/]}", nil, nil, `"https://a/" is no origin`},
	{"a header is a name", minimal + "cors: {origins: [https://a], headers: [X-A, 'X A']}", nil, nil, `"X A" is no name of a header`},
	{"a header has no end of line", minimal, []string{"AVATARD_CORS_ORIGINS=https://a", "AVATARD_CORS_HEADERS=X-A\r\nX-B"}, nil, "is no name of a header"},
	{"all headers are none", minimal + "cors: {origins: [https://a], headers: ['*']}", nil, nil, "cors.headers: \"*\" is no name"},
	{"a long list of headers", minimal + "cors: {origins: [https://a], headers: [x" + strings.Repeat(", x", maxHeaderNames) + "]}", nil, nil, "expected 32 at most"},
	{"headers of nobody", minimal + "cors: {headers: [X-A]}", nil, nil, "cors.headers: counts for nothing"},
	{"a table without rows in a variable", minimal, []string{"AVATARD_AUTHZ_ROLES=user.read"}, nil, "ROW=a,b"},
	{"a row twice in a variable", minimal, []string{"AVATARD_AUTHZ_ROLES=A=user.read;A=user.write"}, nil, "of its own"},
	{"a row twice in the file", minimal + "authz:\n  roles:\n    A: []\n    A: []\n", nil, nil, "twice"},
	{"a list in the file where one value is meant", minimal + "listen: [a]", nil, nil, "single"},
	{"an alias could stand for anything", minimalWithout("audience") + "realm: &a x\naudience: *a", nil, nil, "single"},
	{"a value with a tag", minimalWithout("audience") + "audience: !!str a", nil, nil, "single"},
	{"a group with an anchor", minimal + "tls: &t {cert_file: c}", nil, nil, "group"},
	{"groups are not merged", minimal + "<<: {listen: \":1\"}", nil, nil, "is no setting"},
	{"aliases of aliases", minimal + "a: &a [x, x]\nb: &b [*a, *a]\norganisations: [*b, *b]", nil, nil, "an item is not a single plain value"},
	{"the line of what is no YAML", minimal + "listen: \"x", nil, nil, "c.yaml:"},
	{"a second document", minimal + "---\nlisten: :1\n", nil, nil, "second"},
	{"a file that holds one word", "hunter2", nil, nil, "group"},
	{"a file that is no YAML", "listen: [\nclient_secret: hunter2 'x': \"", nil, nil, "YAML"},
}

func TestConfigFaults(t *testing.T) {
	notThere := filepath.Join(t.TempDir(), "none")
	empty := writeFile(t, "empty", " \n")
	big := writeFile(t, "big", strings.Repeat("x", maxConfigBytes+1))
	inFiles := []configFault{
		{"the secret from a file that is not there", minimalWithout("client_secret"), nil, []string{"--client-secret-file", notThere}, "readable file"},
		{"the secret from an empty file", minimalWithout("client_secret"), nil, []string{"--client-secret-file", empty}, "empty"},
		{"two secrets", minimal, []string{"AVATARD_CLIENT_SECRET_FILE=" + empty}, nil, "only one"},
		{"a certificate that is not there", minimal + "tls: {cert_file: " + notThere + ", key_file: " + empty + "}", nil, nil, notThere},
		{"a certificate that is none", minimal + "tls: {cert_file: " + empty + ", key_file: " + empty + "}", nil, nil, "both in PEM"},
		{"a secret and a key", minimal, []string{"AVATARD_CLIENT_KEY_FILE=" + empty}, nil, "client_secret: is set beside client_key_file"},
		{"a key that is not there", minimalWithout("client_secret"), nil, []string{"--client-key-file", notThere}, "readable file"},
		{"a key file that is none", minimalWithout("client_secret"), nil, []string{"--client-key-file", empty}, "JSON file"},
		{"a file that is too long", "", nil, []string{"--config", big}, "over"},
		{"a file that is not there", "", nil, []string{"--config", notThere}, "readable"},
	}
	for _, tt := range append(inFiles, configFaults...) {
		t.Run(tt.name, func(t *testing.T) {
			args := tt.args
			if tt.file != "" {
				args = append(args, "--config", writeFile(t, "c.yaml", tt.file))
			}
			_, err := read(t, tt.environ, args...)
			found := false
			for _, f := range faultsOf(t, err) {
				found = found || strings.Contains(f.Where+": "+f.Problem, tt.want)
			}
			if !found {
				t.Errorf("faults are %v, want one with %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret is shown: %v", err)
			}
		})
	}
}

func TestConfigFileFromVariable(t *testing.T) {
	file := writeFile(t, "c.yaml", minimal)
	if got, err := read(t, []string{"AVATARD_CONFIG=" + file}); err != nil || got.ClientID != "c" {
		t.Errorf("Read = %+v, %v, want the settings of the file", got, err)
	}
}

func TestConfigEmptyFile(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n"} {
		_, err := read(t, nil, "--config", writeFile(t, "c.yaml", text))
		if got := len(faultsOf(t, err)); got != len(required) {
			t.Errorf("file %q: %d faults, want the %d missing settings: %v", text, got, len(required), err)
		}
	}
}

// Files that settings name are opened only by ReadWithFiles, whichever settings are required: the file of a secret may be for another
// user than the one who looks at the data.
func TestReadOpensNoFilesOfSettings(t *testing.T) {
	nowhere := filepath.Join(os.DevNull, "x")
	flags := &Flags{File: writeFile(t, "c.yaml", "data: d\nissuer: https://id.example\naudience: a\nclient_id: c\nclient_secret_file: "+nowhere+
		"\ntls:\n  cert_file: "+nowhere+"\n  key_file: "+nowhere)}
	if cfg, err := Read(nil, flags, required...); err != nil || filepath.Base(cfg.Data) != "d" {
		t.Errorf("Read = %q, %v, want data d", cfg.Data, err)
	}
	_, _, err := ReadWithFiles(nil, flags, required...)
	if faults := faultsOf(t, err); len(faults) != 2 {
		t.Errorf("ReadWithFiles = %v, want a fault of the secret's file and one of the certificate's", err)
	}
}
