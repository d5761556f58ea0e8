package cli

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
)

func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	return (&Program{Environ: environ, Stdin: os.Stdin, Stdout: stdout, Stderr: stderr}).Run(ctx, args)
}

// runCommand runs a command to its end and returns what it printed.
func runCommand(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	var out bytes.Buffer
	err = run(t.Context(), args, nil, &out, io.Discard)
	return out.String(), err
}

// runAll runs a command to its end and returns everything it printed and its exit code.
func runAll(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, problems bytes.Buffer
	code = Report(&problems, run(t.Context(), args, nil, &out, &problems))
	return out.String(), problems.String(), code
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func openStore(t *testing.T, dir string) storage.Store {
	t.Helper()
	store, err := embedded.Open(t.Context(), embedded.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// putFor registers a user with a picture in acme.
func putFor(t *testing.T, store storage.Store, user string, size int) {
	t.Helper()
	_, err := store.Put(t.Context(), storage.Upload{User: storage.UserKey{Issuer: "https://id.example", ID: user}, Organization: "acme", Register: true,
		By: storage.Origin{Caller: "test"}, Picture: storage.Picture{Format: storage.PNG, Data: bytes.Repeat([]byte(user), size)}})
	if err != nil {
		t.Fatal(err)
	}
}
