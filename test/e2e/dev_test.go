package e2e

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const devReady = "avatard dev is ready: "

// startDev runs dev on a free port and returns it with the variables of its environment file.
func startDev(t *testing.T, args ...string) (*running, map[string]string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "dev.env")
	r := start(t, devReady, nil, append([]string{"dev", "--listen", "127.0.0.1:0", "--env-file", file}, args...)...)
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("mode of the environment file is %v, want 0600", info.Mode())
	}
	return r, readEnvFile(t, file)
}

// readEnvFile returns the variables of an environment file of dev.
func readEnvFile(t *testing.T, file string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			env[name] = strings.Trim(value, "'")
		}
	}
	return env
}

func avatarURL(env map[string]string, org, user string) string {
	return env["AVATARD_URL"] + "/assets/v1/" + env[org] + "/users/" + env[user] + "/avatar"
}

func removalURL(env map[string]string, user string) string {
	return env["AVATARD_URL"] + "/management/v1/users/" + env[user] + "/avatar"
}

func TestDevFromStartToEnd(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	dev, env := startDev(t)

	want := []string{
		"AVATARD_AUDIENCE", "AVATARD_CLIENT_ID", "AVATARD_CLIENT_SECRET", "AVATARD_ISSUER", "AVATARD_URL", "GRPC_ADDRESS", "LOGIN_CLIENT_ID", "LOGIN_SCOPES",
		"ORG_ACME", "ORG_GLOBEX", "ORG_INITECH",
		"TOKEN_ADMIN", "TOKEN_ALICE", "TOKEN_EXPIRED", "TOKEN_GLOBEX_ADMIN", "TOKEN_GLOBEX_OWNER", "TOKEN_MANAGER",
		"TOKEN_NOBODY", "TOKEN_OTHER_AUDIENCE", "TOKEN_REVOKED", "TOKEN_VIEWER", "TOKEN_WRONG_AUDIENCE",
		"USER_ALICE", "USER_BOB", "USER_CAROL", "USER_DAVE", "USER_ERIN",
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(env))); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}

	wantStatus(t, 200, "GET", avatarURL(env, "ORG_ACME", "USER_ALICE"), "")
	wantStatus(t, 404, "GET", avatarURL(env, "ORG_ACME", "USER_BOB"), "")
	wantStatus(t, 200, "GET", avatarURL(env, "ORG_GLOBEX", "USER_CAROL"), "")
	wantStatus(t, 200, "GET", avatarURL(env, "ORG_INITECH", "USER_DAVE"), "")
	wantStatus(t, 200, "DELETE", removalURL(env, "USER_ALICE"), env["TOKEN_ADMIN"])
	wantStatus(t, 404, "GET", avatarURL(env, "ORG_ACME", "USER_ALICE"), "")
	wantStatus(t, 200, "DELETE", removalURL(env, "USER_CAROL"), env["TOKEN_ADMIN"], "X-Zitadel-Orgid", env["ORG_GLOBEX"])
	wantStatus(t, 401, "DELETE", removalURL(env, "USER_ALICE"), env["TOKEN_REVOKED"])

	_, body := call(t, "GET", env["AVATARD_ISSUER"]+"/.well-known/openid-configuration", "")
	var discovery struct{ Issuer string }
	if err := json.Unmarshal([]byte(body), &discovery); err != nil || discovery.Issuer != env["AVATARD_ISSUER"] {
		t.Errorf("discovery says issuer %q, %v, want %q", discovery.Issuer, err, env["AVATARD_ISSUER"])
	}
	for _, url := range []string{env["AVATARD_URL"] + "/healthz", env["AVATARD_ISSUER"] + "/.well-known/openid-configuration"} {
		wantStatus(t, 421, "GET", url, "", "Host", "evil.example")
	}

	dev.stop()
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("the temporary directory still holds %v, %v", left, err)
	}
	for name, value := range env {
		if (strings.HasPrefix(name, "TOKEN_") || strings.HasSuffix(name, "SECRET")) && strings.Contains(dev.out.String(), value) {
			t.Errorf("%s is in the output:\n%s", name, dev.out)
		}
	}
}

// A second start on the same data goes on where the first ended.
func TestDevAgainOnTheSameData(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	seeded := func(env map[string]string, last string) map[string]string {
		first := env["SEED_FIRST_USER"]
		return map[string]string{"AVATARD_URL": env["AVATARD_URL"], "ORG_ACME": env["ORG_ACME"], "USER": first[:len(first)-1] + last}
	}
	dev, before := startDev(t, "--data", dir, "--seed-users", "5", "--seed-bytes", "900")
	if before["SEED_COUNT"] != "5" {
		t.Errorf("SEED_COUNT is %q, want 5", before["SEED_COUNT"])
	}
	wantStatus(t, 200, "GET", avatarURL(seeded(before, "5"), "ORG_ACME", "USER"), "")
	wantStatus(t, 404, "GET", avatarURL(seeded(before, "6"), "ORG_ACME", "USER"), "")
	_, first := call(t, "GET", avatarURL(seeded(before, "1"), "ORG_ACME", "USER"), "")
	_, second := call(t, "GET", avatarURL(seeded(before, "2"), "ORG_ACME", "USER"), "")
	if first == second {
		t.Error("two seeded users have the same picture")
	}
	wantStatus(t, 200, "DELETE", removalURL(before, "USER_ALICE"), before["TOKEN_ADMIN"])
	wantStatus(t, 200, "DELETE", removalURL(seeded(before, "2"), "USER"), before["TOKEN_ADMIN"])
	wantOutput(t, "user eve added\n", "user", "add", "eve", "--org", before["ORG_ACME"], "--data", dir)
	if want := "# Alice has a picture."; !strings.Contains(dev.out.String(), want) {
		t.Errorf("the first start does not say %q:\n%s", want, dev.out)
	}
	dev.stop()

	again, after := startDev(t, "--data", dir, "--seed-users", "8", "--seed-bytes", "900")
	for name, value := range before {
		same := after[name] == value
		if wantSame := strings.HasPrefix(name, "ORG_") || strings.HasPrefix(name, "USER_") || name == "SEED_FIRST_USER"; wantSame != same &&
			(wantSame || strings.HasPrefix(name, "TOKEN_") || name == "AVATARD_CLIENT_SECRET") {
			t.Errorf("%s was %q and is %q, want the same: %v", name, value, after[name], wantSame)
		}
	}
	if out := again.out.String(); !strings.Contains(out, "# Alice's picture is deleted since an earlier start") || strings.Contains(out, "Alice has a picture") ||
		!strings.Contains(out, "for Carol of another organisation:") {
		t.Errorf("the second start does not say who has a picture:\n%s", out)
	}
	wantStatus(t, 404, "GET", avatarURL(after, "ORG_ACME", "USER_ALICE"), "")
	wantStatus(t, 200, "GET", avatarURL(after, "ORG_GLOBEX", "USER_CAROL"), "")
	for last, want := range map[string]int{"1": 200, "2": 404, "5": 200, "6": 200, "8": 200, "9": 404} {
		wantStatus(t, want, "GET", avatarURL(seeded(after, last), "ORG_ACME", "USER"), "")
	}
	if want := "3 users added, 5 were there already"; !strings.Contains(again.out.String(), want) {
		t.Errorf("the output does not say %q:\n%s", want, again.out)
	}
	wantStatus(t, 200, "DELETE", removalURL(map[string]string{"AVATARD_URL": after["AVATARD_URL"], "U": "eve"}, "U"), after["TOKEN_ADMIN"])
	wantStatus(t, 401, "DELETE", removalURL(after, "USER_BOB"), before["TOKEN_ADMIN"])
}

// Whoever reads the standard output of dev gets what it is for, where it answers and how to call it; how far a start is stands beside the log.
func TestDevOutput(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	stdout, stderr := newTranscript(devReady), newTranscript("")
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"dev", "--listen", "127.0.0.1:0", "--env-file", "", "--seed-users", "2"}, nil, stdout, stderr)
	}()
	select {
	case <-stdout.seen:
	case err := <-ended:
		t.Fatalf("dev ended: %v\n%s", err, stderr)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if !strings.HasPrefix(stdout.String(), devReady) || strings.Contains(stdout.String(), "seed") || !strings.Contains(stderr.String(), "2 users added") {
		t.Errorf("standard output:\n%s\nstandard error:\n%s", stdout, stderr)
	}
}

// Without an environment file the printed lines hold the values themselves.
func TestDevWithoutEnvFile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	dev := start(t, devReady, nil, "dev", "--listen", "localhost:0", "--env-file", "")
	dev.stop()
	if strings.Contains(dev.out.String(), "${") || !strings.Contains(dev.out.String(), "Authorization: Bearer ") {
		t.Errorf("the lines are not ready to paste:\n%s", dev.out)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("the working directory holds %v, want nothing", left)
	}
}
