//go:build unix && pages

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"
)

// packagedProvider is an identity provider that other people wrote, as their package ships it.
type packagedProvider struct {
	Issuer string
	Tokens map[string]string // of each person
}

const (
	packagedAudience = "https://avatars.example.com"
	packagedSecret   = "0123456789abcdef0123456789abcdef"
)

// startPackagedProvider starts it with people, each with claims of their tokens, until the test's end.
func startPackagedProvider(t *testing.T, people map[string]any) (p packagedProvider) {
	t.Helper()
	node, dir := npmClients(t)
	input, err := json.Marshal(map[string]any{"audience": packagedAudience, "secret": packagedSecret, "people": people})
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), node, filepath.Join(dir, "oidcprovider.js"))
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), &stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &p)
	}
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("the provider did not start: %v\n%s", err, &stderr)
	}
	return p
}

// Both pages work with serve and a provider of others: introspection, sign-in by authorization code with PKCE, roles and organisation at places of its own.
func TestPagesWithAPackagedProvider(t *testing.T) {
	who := func(roles ...string) map[string]any { return map[string]any{"groups": roles, "company": "everybody"} }
	p := startPackagedProvider(t, map[string]any{"alice": who(), "bob": who(), "erin": who("ORG_USER_MANAGER"), "vera": who("ORG_OWNER_VIEWER")})
	dir := filepath.Join(t.TempDir(), "data")
	_, url := startServe(t, map[string]string{
		"AVATARD_ISSUER": p.Issuer, "AVATARD_AUDIENCE": packagedAudience, "AVATARD_CLIENT_ID": "avatard", "AVATARD_CLIENT_SECRET": packagedSecret,
		"AVATARD_AUTHZ_CLAIMS": "generic", "AVATARD_AUTHZ_ROLE_CLAIMS": "groups", "AVATARD_AUTHZ_ORGANISATION_CLAIM": "company",
		"AVATARD_PAGE_ENABLED": "true", "AVATARD_PAGE_CLIENT_ID": "pages", "AVATARD_PAGE_SCOPES": "openid,avatars",
	}, dir)
	for _, user := range []string{"alice", "bob"} {
		wantOutput(t, "user "+user+" added\n", "user", "add", user, "--org", "everybody", "--new-org", "--data", dir)
	}
	visit := pageVisit{url: url, provider: p.Issuer, person: "alice", manager: "erin", user: "bob", organization: "everybody",
		viewerToken: p.Tokens["vera"], managerToken: p.Tokens["erin"]}
	checkPersonPage(t, visit)
	checkDocsPage(t, visit) // sends every call, and so ends a user
}
