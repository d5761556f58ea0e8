package e2e

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that is there means a server that answers: it goes with its server, and a start that fails leaves the file of
// the server that is running alone.
func TestEnvFileLivesWithItsServer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dev.env")
	first := start(t, devReady, nil, "dev", "--listen", "127.0.0.1:0", "--env-file", file)
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, address, _ := strings.Cut(first.out.String(), devReady+"http://")
	address, _, _ = strings.Cut(address, "\n")
	wantFailure(t, "listening", "dev", "--listen", address, "--env-file", file)
	if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
		t.Errorf("the file changed under a running server: %v", err)
	}
	first.stop()
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file outlives its server: %v", err)
	}
}

// A server that stops does not take away the file another one has put in place since.
func TestEnvFileOfAnother(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dev.env")
	first := start(t, devReady, nil, "dev", "--listen", "127.0.0.1:0", "--env-file", file)
	start(t, devReady, nil, "dev", "--listen", "127.0.0.1:0", "--env-file", file)
	first.stop()
	if _, err := os.Stat(file); err != nil {
		t.Errorf("the second server's file is gone: %v", err)
	}
}

// Nothing below the provider's path leads to another operation, not even by a redirect.
func TestProviderDoesNotRedirectIntoTheAPI(t *testing.T) {
	_, env := startDev(t)
	for _, path := range []string{"/idp/../management/v1/users/x/avatar", "/idp//keys", "/idp/./keys", "/idp/"} {
		wantStatus(t, 404, "DELETE", env["AVATARD_URL"]+path, env["TOKEN_ADMIN"])
	}
}
