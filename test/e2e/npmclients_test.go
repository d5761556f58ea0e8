//go:build unix

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// nodeClients are the clients of test/e2e/testdata/clients/node.js.
var nodeClients = []string{
	"connect-node gRPC",
	"connect-node gRPC-Web, HTTP/1.1", "connect-node gRPC-Web, HTTP/2",
	"connect-node Connect JSON, HTTP/1.1", "connect-node Connect, HTTP/2",
	"connect-web Connect", "connect-web gRPC-Web",
	"fetch",
}

// The packages of npm, with stubs made for this test.
func TestNodeClients(t *testing.T) {
	node, dir := npmClients(t)
	_, env := startDev(t, "--seed-users", "8", "--seed-bytes", "900")
	plan := newClientPlan(t, env, nodeClients)
	plan.check(t, env, tell[clientLine](t, plan, node, filepath.Join(dir, "node.js")))
}

// npmClients returns node and a copy of test/e2e/testdata/clients with generated stubs in it.
func npmClients(t *testing.T) (node, dir string) {
	t.Helper()
	node, buf := Program(t, "node"), Program(t, "buf")
	needDirectory(t, "test/e2e/testdata/clients/node_modules", "npm ci --prefix test/e2e/testdata/clients")
	needDirectory(t, ".protos", ".tools/protos.sh")

	dir = t.TempDir()
	sources, err := filepath.Glob("test/e2e/testdata/clients/*.js*")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(source)), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	modules, err := filepath.Abs("test/e2e/testdata/clients/node_modules")
	if err == nil {
		err = os.Symlink(modules, filepath.Join(dir, "node_modules"))
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), buf, "generate", "--template", "test/e2e/testdata/clients/buf.gen.yaml", "-o", dir)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, output)
	}
	return node, dir
}

// needDirectory skips the test where a directory that a command makes is missing; in continuous integration it fails.
func needDirectory(t *testing.T, dir, command string) {
	t.Helper()
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing; make it with %s", dir, command)
	}
	t.Skipf("%s is missing, so this is not tested here; make it with %s", dir, command)
}
