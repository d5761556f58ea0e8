package e2e

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/internal/cli"
	"example.org/avatard/internal/config"
	"example.org/avatard/server/picture"
)

// A start tries the provider and says what works; config --check says the same, with exit code 2 where it does not. Neither shows a
// secret, and a start goes on in any case.
func TestProviderIsTried(t *testing.T) {
	p := newProvider(t, nil)
	with := func(name, value string) map[string]string {
		env := p.Settings()
		env[name] = value
		return env
	}
	for name, row := range map[string]struct {
		env  map[string]string
		code int
		says string
	}{
		"all is well":          {p.Settings(), cli.ExitOK, "tried: it works"},
		"a secret of long ago": {with("AVATARD_CLIENT_SECRET", "planted-secret"), cli.ExitUsage, "refuses the client id, or its secret or key (status 401)"},
		"nobody there":         {providerless(t), cli.ExitUsage, "is of no use: connection failed"},
		"another issuer": {with("AVATARD_ISSUER", strings.Replace(p.Issuer, "127.0.0.1", "localhost", 1)), cli.ExitUsage,
			"issuer is \"" + p.Issuer + "\", the configured one \"" + strings.Replace(p.Issuer, "127.0.0.1", "localhost", 1)},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		environ := []string{"AVATARD_DATA=" + dir, "AVATARD_LISTEN=127.0.0.1:0"}
		for variable, value := range row.env {
			environ = append(environ, variable+"="+value)
		}
		var out, told strings.Builder
		err := run(t.Context(), []string{"config", "--check"}, environ, &out, &told)
		if code := cli.Report(&told, err); code != row.code || !strings.Contains(out.String()+told.String(), row.says) {
			t.Errorf("%s: config --check = %d, %s%s, want %d and %q", name, code, out.String(), told.String(), row.code, row.says)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s: config --check made the data directory", name)
		}
		srv, url := startServe(t, row.env, dir)
		srv.out.await("identity provider tried")
		if log := strings.ReplaceAll(srv.out.String(), `\"`, `"`); !strings.Contains(log, row.says) {
			t.Errorf("%s: the log does not hold %q:\n%s", name, row.says, log)
		}
		wantStatus(t, http.StatusOK, http.MethodGet, url+"/readyz", "")
		srv.stop()
		for _, secret := range []string{p.Client.Secret, "planted-secret", "tried-at-start"} {
			if strings.Contains(srv.out.String()+out.String()+told.String(), secret) {
				t.Errorf("%s: %s is shown", name, secret)
			}
		}
	}
}

// config prints each setting once, with its value and the place where that stands, and faults behind.
func TestConfigCommand(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "avatard.yaml")
	text := "data: /var/lib/avatard\nissuer: https://id.example\nclient_secret: planted-secret\norganisations: [a, b]\nauthz:\n  roles:\n    R: [user.read, user.write]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := []string{"AVATARD_CONFIG=" + file, "AVATARD_AUDIENCE=project", "AVATARD_CLIENT_ID=c", "AVATARD_LISTEN=127.0.0.1:1", "AVATARD_REALM="}
	var out, told strings.Builder
	if err := run(t.Context(), []string{"config", "--listen", "127.0.0.1:2"}, environ, &out, &told); err != nil {
		t.Fatal(err)
	}
	lines := map[string]string{}
	for line := range strings.Lines(out.String()) {
		key, rest, _ := strings.Cut(line, " ")
		lines[key] = strings.Join(strings.Fields(rest), " ")
	}
	for key, want := range map[string]string{
		"listen": "127.0.0.1:2 --listen", "data": "/var/lib/avatard " + file + ":1 data", "issuer": "https://id.example " + file + ":2 issuer",
		"client_secret": "(set) " + file + ":3 client_secret", "organisations": "a,b " + file + ":4 organisations",
		"authz.roles": "R=user.read,user.write " + file + ":6 authz.roles", "audience": "project AVATARD_AUDIENCE", "realm": "avatard default",
		"client_key_file": "(not set) default", "introspection.cache_ttl": "5s default",
	} {
		if lines[key] != want {
			t.Errorf("%s is %q, want %q", key, lines[key], want)
		}
	}
	if len(lines) != len(config.Settings()) || strings.Contains(out.String(), "planted-secret") {
		t.Errorf("%d lines for %d settings, or the secret is shown:\n%s", len(lines), len(config.Settings()), out.String())
	}
	out.Reset()
	err := run(t.Context(), []string{"config", "--log-level", "loud"}, environ, &out, &told)
	if code := cli.Report(&told, err); code != cli.ExitUsage || !strings.Contains(out.String(), "loud") || !strings.Contains(told.String(), "no level") {
		t.Errorf("config with a fault = %d, %s%s", code, out.String(), told.String())
	}
}

// A secret whose file changes is used within a second or so, or at once when that is asked for. A file without a secret is logged, and
// the secret before stays in use.
func TestClientSecretIsReadAgain(t *testing.T) {
	p := newProvider(t, nil)
	file := filepath.Join(t.TempDir(), "secret")
	write := func(secret string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("of-long-ago\n")
	env := p.Settings()
	delete(env, "AVATARD_CLIENT_SECRET")
	env["AVATARD_CLIENT_SECRET_FILE"] = file
	dir := filepath.Join(t.TempDir(), "data")
	registerWithPicture(t, dir, p.Issuer, devidp.UserAlice)
	srv, url := startServe(t, env, dir, "--introspection-cache-ttl", "0")
	own := url + "/assets/v1/users/me/avatar"
	if status, _ := call(t, http.MethodGet, own, p.mint(t, devidp.UserAlice)); status == http.StatusOK {
		t.Error("a call succeeds with a secret that the provider does not know")
	}
	write(" \n")
	srv.out.await("the new client secret is of no use")
	write(p.Client.Secret + "\n")
	srv.out.await("client secret read")
	wantStatus(t, http.StatusOK, http.MethodGet, own, p.mint(t, devidp.UserAlice))
	srv.stop()
	if strings.Contains(srv.out.String(), p.Client.Secret) || strings.Contains(srv.out.String(), "of-long-ago") {
		t.Errorf("a secret is in the log:\n%s", srv.out)
	}
}

// Callers of a provider that knows no organisations belong to the configured one: they upload, read and delete their own picture
// there, and a role is needed for others' all the same.
func TestDefaultOrganizationOfCallers(t *testing.T) {
	p := newProvider(t, nil)
	const org = "everybody"
	dir := filepath.Join(t.TempDir(), "data")
	srv, url := startServe(t, p.Settings(), dir, "--default-organisation", org)
	caller := newCaller(t, url)
	plain := func(subject string) string {
		return p.mintSpec(t, devidp.TokenSpec{Subject: subject, Scopes: scopesOfSDKs(p)})
	}
	alice, bob, nobody := plain(devidp.UserAlice), plain(devidp.UserBob), plain("150317214593155204")
	for _, token := range []string{alice, bob} {
		caller.organization = devidp.OrgGlobex // counts for nothing
		if got := caller.upload(t, url+"/assets/v1/users/me/avatar", token, picture.Sample(2, 900)); got.Code != 0 || !strings.Contains(got.Raw, `"resourceOwner":"`+org+`"`) {
			t.Errorf("upload: %v %s", got.Code, got.Raw)
		}
	}
	wantStatus(t, http.StatusOK, http.MethodGet, url+"/assets/v1/"+org+"/users/"+devidp.UserAlice+"/avatar", "")
	for form, got := range caller.removeInAllForms(t, nobody, devidp.UserAlice) {
		if got.Code == 0 {
			t.Errorf("%s: somebody without a role removed another's picture", form)
		}
	}
	wantStatus(t, http.StatusOK, http.MethodDelete, url+"/auth/v1/users/me/avatar", alice)
	wantStatus(t, http.StatusNotFound, http.MethodGet, url+"/assets/v1/users/me/avatar", alice)
	wantStatus(t, http.StatusOK, http.MethodGet, url+"/assets/v1/users/me/avatar", bob)
	// A token that names an organisation is of that one.
	status, body := call(t, http.MethodDelete, url+"/auth/v1/users/me/avatar", p.mint(t, devidp.UserCarol))
	if status != http.StatusNotFound || !strings.Contains(body, "USER-35N8f") {
		t.Errorf("a token of globex: %d %s", status, body)
	}
	caller.Close()
	srv.stop()
}

// What cannot work with a provider, or says nothing, is refused before anything is begun.
func TestProviderSettingsThatContradict(t *testing.T) {
	base := []string{"AVATARD_DATA=d", "AVATARD_ISSUER=https://id.example", "AVATARD_AUDIENCE=project", "AVATARD_CLIENT_ID=client", "AVATARD_CLIENT_SECRET=s"}
	for flags, want := range map[string]string{
		"--audience client": "is the client id, which is the audience of whatever token",
		"--discovery-url https://a.example --introspection-endpoint https://a.example/i": "expected only one of them",
		"--default-organisation acme --authz-source zitadel":                             "where the provider says where callers belong",
		"--default-organisation a\x01":                                                   "is no id",
		"--discovery-url http://a.example/d":                                             "expected https, or http on loopback",
		"--introspection-endpoint https://user@a.example/i":                              "is no URL with a host, or holds a user",
		"--discovery-url /d":                                                             "is no URL with a host",
	} {
		err := run(t.Context(), append([]string{"config"}, strings.Fields(flags)...), base, io.Discard, io.Discard)
		if code := cli.Report(io.Discard, err); code != cli.ExitUsage || !strings.Contains(err.Error(), want) {
			t.Errorf("%s = %v, want %q", flags, err, want)
		}
	}
	if err := run(t.Context(), []string{"config", "--discovery-url", "http://127.0.0.1:1/d"}, base, io.Discard, io.Discard); err != nil {
		t.Errorf("a document on loopback: %v", err)
	}
}

// A relative path is shown as the file that is meant.
func TestConfigCommandShowsWholePaths(t *testing.T) {
	file := writeFile(t, "avatard.yaml", "data: pictures\nissuer: https://id.example\naudience: a\nclient_id: c\nclient_secret: s\n")
	out, err := runCommand(t, "config", "--config", file)
	if want := filepath.Join(filepath.Dir(file), "pictures") + " "; err != nil || !strings.Contains(out, want) {
		t.Errorf("config = %v\n%s, want %s in it", err, out, want)
	}
}
