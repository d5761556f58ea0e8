//go:build unix

package e2e

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"example.org/avatard/authz/devidp"
)

// Clients that read nothing before they have sent all, and such that do both, get the answer to an upload that is refused before its body
// was read, however much they send: 24 MB do not fit into what the system keeps between the two.
func TestRefusalsReachClients(t *testing.T) {
	python, node, curl := Program(t, "python3"), Program(t, "node"), Program(t, "curl")
	const size = 24 << 20
	bytes := strconv.Itoa(size)
	p := newProvider(t, nil)
	dir := filepath.Join(t.TempDir(), "data")
	registerWithPicture(t, dir, p.Issuer, devidp.UserAlice)
	_, url := startServe(t, p.Settings(), dir)
	body := writeFile(t, "body", string(make([]byte, size)))
	for _, row := range []struct{ title, token, status, says string }{
		{"too large", p.mint(t, devidp.UserAlice), "413", `"code":3`},
		{"no token", "", "401", `"code":16`},
		{"a token that is none", "x", "401", "AUTH-7fs1e"},
	} {
		const path = "/assets/v1/users/me/avatar"
		for client, args := range map[string][]string{
			"Python":           {python, "test/e2e/testdata/clients/refused.py", strings.TrimPrefix(url, "http://"), path, row.token, bytes},
			"Node":             {node, "test/e2e/testdata/clients/refused.js", url, path, row.token, bytes, "http"},
			"Node, HTTP/2":     {node, "test/e2e/testdata/clients/refused.js", url, path, row.token, "8000000", "http2"}, // more than 10 MB at once Node refuses itself,
			"curl":             {curl, "-sS", "-H", "Expect:", "-H", "Authorization: Bearer " + row.token, "--data-binary", "@" + body, "-w", "%{stderr}%{http_code} ", url + path},
			"curl, HTTP/2":     {curl, "-sS", "--http2-prior-knowledge", "-H", "Authorization: Bearer " + row.token, "--data-binary", "@" + body, "-w", "%{stderr}%{http_code} ", url + path},
			"curl, which asks": {curl, "-sS", "-H", "Authorization: Bearer " + row.token, "--data-binary", "@" + body, "-w", "%{stderr}%{http_code} ", url + path},
		} {
			output, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
			if row.token == "" && args[0] == curl {
				continue // it sends a header without a token, which is another refusal
			}
			if err != nil || !strings.Contains(string(output), row.status+" ") || !strings.Contains(string(output), row.says) {
				t.Errorf("%s, %s: %v\n%s\nwant %s and %s", row.title, client, err, output, row.status, row.says)
			}
		}
	}
}
