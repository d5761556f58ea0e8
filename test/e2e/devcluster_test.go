package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/internal/cli"
	"example.org/avatard/server/picture"
	"example.org/avatard/storage/cluster"
	"example.org/avatard/storage/cluster/clustertest"
)

// dev --cluster starts the servers that it needs, and keeps data in them: what is deleted stays deleted at the next start, other commands
// come to it by the file that dev writes, and nothing of it runs on.
func TestDevOnACluster(t *testing.T) {
	clustertest.StartFor(t).Stop()      // is everything installed?
	dir, err := os.MkdirTemp("", "dev") //nolint:usetesting // above t.TempDir there is a directory that only root passes through, and PostgreSQL is not root
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(t.TempDir(), "dev.env")
	begin := func() (*running, map[string]string) {
		r := start(t, devReady, nil, "dev", "--cluster", "--listen", "127.0.0.1:0", "--env-file", file, "--data", dir)
		r.out.await("avatard fsck --config ")
		return r, readEnvFile(t, file)
	}
	r, env := begin()
	portrait := "/assets/v1/" + env["ORG_ACME"] + "/users/" + env["USER_ALICE"] + "/avatar"
	wantStatus(t, 200, "GET", env["AVATARD_URL"]+portrait, "")
	wantStatus(t, 200, "DELETE", env["AVATARD_URL"]+"/management/v1/users/"+env["USER_ALICE"]+"/avatar", env["TOKEN_ADMIN"])
	wantStatus(t, 404, "GET", env["AVATARD_URL"]+portrait, "")
	settings := filepath.Join(dir, "cluster", "avatard.yaml")
	commandOn(t, nil, nil, cli.ExitOK, "and 1 receipt checked: clean", "fsck", "--config", settings)
	changePeopleOfDev(t, env, settings)
	r.stop()
	commandOn(t, nil, nil, cli.ExitFailed, "database", "fsck", "--config", settings)
	if _, err := os.Stat(filepath.Join(dir, "cluster", "pg", "postmaster.pid")); err == nil {
		t.Error("PostgreSQL runs on, or was not shut down")
	}

	r, env = begin()
	wantStatus(t, 404, "GET", env["AVATARD_URL"]+portrait, "")
	commandOn(t, nil, nil, cli.ExitOK, "and 1 receipt checked: clean", "fsck", "--config", settings)
	// The port is another one, and with it the provider's URL; the people are those of before, and Bob stays away until he is readmitted.
	for user, said := range map[string]string{"USER_ALICE": "already there", "USER_BOB": "added", "USER_CAROL": "belongs to another organisation"} {
		code := cli.ExitOK
		if user == "USER_CAROL" {
			code = cli.ExitFailed
		}
		commandOn(t, environOf(env), nil, code, said, "user", "add", env[user], "--org", env["ORG_ACME"], "--config", settings)
	}
	r.stop()
	if !strings.Contains(r.out.String(), "Alice's picture is deleted since an earlier start") {
		t.Errorf("the second start does not know of the first:\n%s", r.out)
	}
}

// changePeopleOfDev ends Alice and Bob, readmits Alice and imports a picture of somebody new, by commands beside the server, with its environment
// and without.
func changePeopleOfDev(t *testing.T, env map[string]string, settings string) {
	t.Helper()
	environ := environOf(env)
	for _, user := range []string{env["USER_ALICE"], env["USER_BOB"]} {
		commandOn(t, nil, nil, cli.ExitOK, "removed", "erase", "user", user, "--config", settings)
	}
	commandOn(t, environ, nil, cli.ExitOK, "added", "user", "add", env["USER_ALICE"], "--org", env["ORG_ACME"], "--config", settings)
	commandOn(t, nil, nil, cli.ExitOK, "already there", "user", "add", env["USER_ALICE"], "--org", env["ORG_ACME"], "--config", settings)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "newcomer.png"), picture.Sample(1, 3000), 0o600); err != nil {
		t.Fatal(err)
	}
	commandOn(t, append(environ, "AVATARD_TOKEN="+env["TOKEN_MANAGER"]), nil, cli.ExitOK, "1 imported",
		"import", dir, "--org", env["ORG_ACME"], "--register", "--config", settings, "--journal", filepath.Join(t.TempDir(), "journal"))
	wantStatus(t, 200, "GET", env["AVATARD_URL"]+"/assets/v1/"+env["ORG_ACME"]+"/users/newcomer/avatar", "")
}

func environOf(env map[string]string) (environ []string) {
	for name, value := range env {
		environ = append(environ, name+"="+value)
	}
	return environ
}

// What is not installed is named, all of it, with where it comes from; nothing is left behind.
func TestDevOnAClusterWithoutServers(t *testing.T) {
	t.Setenv("PATH", "")
	t.Chdir(t.TempDir())
	t.Setenv("TMPDIR", t.TempDir())
	commandOn(t, nil, nil, cli.ExitFailed, "the S3 server versitygw is "+clustertest.ErrMissing.Error()+": \"go install ", "dev", "--cluster", "--listen", "127.0.0.1:0")
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A file of keys is never replaced: the pictures of whoever uses it would be lost.
func TestNewKeyFileReplacesNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	if err := cluster.NewKeyFile(file); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	again := cluster.NewKeyFile(file)
	after, err := os.ReadFile(file)
	if err != nil || !os.IsExist(again) || string(before) != string(after) {
		t.Errorf("NewKeyFile again = %v, %v, want the file as it is", again, err)
	}
}
