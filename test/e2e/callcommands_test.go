package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/internal/cli"
	"example.org/avatard/server/picture"
)

// callCommand runs a command with variables and standard input.
func callCommand(t *testing.T, environ []string, stdin []byte, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, problems bytes.Buffer
	p := &cli.Program{Environ: environ, Stdin: bytes.NewReader(stdin), Stdout: &out, Stderr: &problems}
	code = cli.Report(&problems, p.Run(t.Context(), args))
	return out.String(), problems.String(), code
}

// Somebody without a program of their own puts, gets and removes pictures, their own and those of others.
func TestPutGetRm(t *testing.T) {
	t.Parallel()
	_, env := startDev(t)
	dir := t.TempDir()
	alice, manager := []string{"AVATARD_URL=" + env["AVATARD_URL"], "AVATARD_TOKEN=" + env["TOKEN_ALICE"]}, filepath.Join(dir, "manager")
	sample := picture.Sample(7, 3000)
	file := filepath.Join(dir, "me.png")
	for name, data := range map[string][]byte{file: sample, manager: []byte(env["TOKEN_MANAGER"] + "\n")} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	out, errOut, code := callCommand(t, alice, nil, "put", "me", file)
	if code != 0 || !strings.HasPrefix(out, "user: me\nresult: put\norganisation: "+env["ORG_ACME"]+"\nsequence: 3\n") || errOut != "" {
		t.Errorf("put me: %d, %s%s", code, out, errOut)
	}
	copied := filepath.Join(dir, "copy.png")
	if out, errOut, code = callCommand(t, alice, nil, "get", "me", copied); code != 0 || !strings.Contains(out, "type: image/png\n") {
		t.Errorf("get me: %d, %s%s", code, out, errOut)
	}
	stored, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	if _, errOut, code = callCommand(t, alice, nil, "get", "me", copied); code != 1 || !strings.Contains(errOut, "the file exists") {
		t.Errorf("get into a file that is there: %d, %s", code, errOut)
	}
	if _, errOut, code = callCommand(t, alice, nil, "get", "me", copied, "--force", "--json"); code != 0 {
		t.Errorf("get --force: %d, %s", code, errOut)
	}
	// Somebody else's, read by everybody, into standard output.
	if out, errOut, code = callCommand(t, nil, nil, "get", env["USER_ALICE"], "--org", env["ORG_ACME"], "--url", env["AVATARD_URL"]); code != 0 || out != string(stored) {
		t.Errorf("get without a token: %d, %d bytes, %s", code, len(out), errOut)
	}

	out, errOut, code = callCommand(t, nil, sample, "put", env["USER_BOB"], "-", "--url", env["AVATARD_URL"]+"/", "--token-file", manager, "--json")
	var result struct{ User, Result, Sequence, ResourceOwner, Receipt string }
	if err := json.Unmarshal([]byte(out), &result); code != 0 || err != nil || result.User != env["USER_BOB"] || result.Sequence != "2" || result.ResourceOwner != env["ORG_ACME"] {
		t.Errorf("put for Bob: %d, %s%s", code, out, errOut)
	}
	out, errOut, code = callCommand(t, nil, nil, "rm", env["USER_BOB"], "--url", env["AVATARD_URL"], "--token-command", "cat '"+manager+"'", "--json")
	if err := json.Unmarshal([]byte(out), &result); code != 0 || err != nil || result.Result != "removed" || result.Sequence != "3" || result.Receipt == "" {
		t.Errorf("rm Bob: %d, %s%s", code, out, errOut)
	}
	wantStatus(t, 404, "GET", avatarURL(env, "ORG_ACME", "USER_BOB"), "")
	if out, errOut, code = callCommand(t, alice, nil, "rm", "me"); code != 0 || !strings.Contains(out, "\nreceipt: ") {
		t.Errorf("rm me: %d, %s%s", code, out, errOut)
	}
	wantStatus(t, 404, "GET", avatarURL(env, "ORG_ACME", "USER_ALICE"), "")
}

// Each kind of failure has an exit code of its own, and no token is in what is printed.
func TestExitCodesOfCalls(t *testing.T) {
	t.Parallel()
	_, env := startDev(t)
	as := func(token string, more ...string) []string {
		return append([]string{"AVATARD_URL=" + env["AVATARD_URL"], "AVATARD_TOKEN=" + env[token]}, more...)
	}
	big := bytes.Repeat([]byte{1}, picture.MostUploadBytes+1)
	folder := t.TempDir()
	for _, row := range []struct {
		title   string
		environ []string
		stdin   []byte
		args    string
		code    int
		text    string
	}{
		{"no token", []string{"AVATARD_URL=" + env["AVATARD_URL"]}, nil, "rm me", 5, "no token for " + env["AVATARD_URL"]},
		{"a token that is revoked", as("TOKEN_REVOKED"), nil, "rm me", 5, "AUTH-7fs1e"},
		{"no right", as("TOKEN_VIEWER"), nil, "rm " + env["USER_ALICE"], 5, "AUTH-5mWD2"},
		{"no role", as("TOKEN_NOBODY"), nil, "rm " + env["USER_ALICE"], 5, "AUTHZ-cdgFk"},
		{"nobody of that id", as("TOKEN_MANAGER"), nil, "rm nobody-here", 6, "USER-35N8f"},
		{"no picture", as("TOKEN_MANAGER"), nil, "get " + env["USER_BOB"] + " --org " + env["ORG_ACME"], 6, "no picture"},
		{"not a picture", as("TOKEN_ALICE"), []byte("text"), "put me -", 7, "put me: "},
		{"too large for the server", as("TOKEN_ALICE"), big[:1<<20], "put me -", 7, "larger than"},
		{"too large for any", as("TOKEN_ALICE"), big, "put me -", 7, "larger than"},
		{"nothing", as("TOKEN_ALICE"), nil, "put me -", 7, "empty"},
		{"a folder", as("TOKEN_ALICE"), nil, "put me " + folder, 7, "no file of bytes"},
		{"no such file", as("TOKEN_ALICE"), nil, "put me " + filepath.Join(folder, "x"), 1, "no such file"},
		{"an address that is not avatard's", as("TOKEN_MANAGER"), nil, "rm nobody-here --url " + env["AVATARD_URL"] + "/typo", 1, "no such route; is that the address of avatard?"},
		{"a picture at such an address", as("TOKEN_MANAGER"), nil, "get me " + filepath.Join(folder, "x") + " --url " + env["AVATARD_URL"] + "/typo", 1, "no such route; is that"},
		{"nobody there", as("TOKEN_ALICE", "AVATARD_URL=http://127.0.0.1:1"), nil, "rm me", 8, "unreachable: http://127.0.0.1:1"},
		{"no server named", nil, nil, "rm me", 2, "which server?"},
		{"cleartext", as("TOKEN_ALICE"), nil, "rm me --url http://avatars.example", 2, "in cleartext"},
		{"no time", as("TOKEN_ALICE"), nil, "rm me --timeout 1", 2, "--timeout"},
		{"two tokens", as("TOKEN_ALICE"), nil, "rm me --token-file a --token-command b", 2, "two places"},
		{"a token that is none", []string{"AVATARD_URL=" + env["AVATARD_URL"], "AVATARD_TOKEN=two words"}, nil, "rm me", 2, "AVATARD_TOKEN: "},
		{"somebody else's without an organisation", as("TOKEN_MANAGER"), nil, "get " + env["USER_ALICE"], 2, "--org ORG"},
		{"an id that is none", as("TOKEN_MANAGER"), nil, "rm a\x01", 2, "no user id"},
	} {
		out, errOut, code := callCommand(t, row.environ, row.stdin, strings.Fields(row.args)...)
		if code != row.code || !strings.Contains(errOut, row.text) || out != "" {
			t.Errorf("%s: exit code %d, want %d with %q:\n%s%s", row.title, code, row.code, row.text, out, errOut)
		}
		for name, value := range env {
			if strings.HasPrefix(name, "TOKEN_") && strings.Contains(out+errOut, value) {
				t.Errorf("%s: the output holds %s", row.title, name)
			}
		}
	}
}
