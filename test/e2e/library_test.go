package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// libraryProgram is a program of somebody else. The lines of the README stand in the place of LINES.
const libraryProgram = `package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"

	"example.org/avatard/authz"
	"example.org/avatard/server"
	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
)

func main() {
	ctx, dir := context.Background(), os.Args[1]
	issuer, id, secret, project := os.Args[2], os.Args[3], os.Args[4], os.Args[5]
	LINES
	if err != nil {
		panic(err)
	}
	defer store.Close()
	if _, _, err := store.AddUser(ctx, storage.UserKey{Issuer: issuer, ID: os.Args[6]}, os.Args[8], storage.Origin{}); err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/mine", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	mux.Handle("/", avatars.Handler())
	srv := httptest.NewServer(mux)
	defer srv.Close()
	for _, path := range []string{"GET /mine", "GET /readyz", "DELETE /auth/v1/users/me/avatar"} {
		var method, to string
		fmt.Sscan(path, &method, &to)
		req, _ := http.NewRequest(method, srv.URL+to, nil)
		req.Header.Set("Authorization", "Bearer "+os.Args[7])
		res, err := srv.Client().Do(req)
		if err != nil {
			panic(err)
		}
		res.Body.Close()
		fmt.Println(path, res.StatusCode)
	}
}
`

// Another module can use the packages, with nothing but what the module cache holds.
func TestLibrary(t *testing.T) {
	t.Parallel()
	lines := fencesOf(t, "README.md", "go")
	if len(lines) != 1 {
		t.Fatalf("the README has %d blocks of Go, want 1", len(lines))
	}
	_, env := startDev(t)
	repository, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  fmt.Sprintf("module example.com/theirs\n\ngo 1.26.0\n\nrequire example.org/avatard v0.0.0\n\nreplace example.org/avatard => %q\n", repository),
		"go.sum":  string(sums),
		"main.go": strings.Replace(libraryProgram, "LINES", strings.ReplaceAll(lines[0].text, "\n", "\n\t"), 1),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", ".", filepath.Join(dir, "data"), env["AVATARD_ISSUER"], env["AVATARD_CLIENT_ID"],
		env["AVATARD_CLIENT_SECRET"], env["AVATARD_AUDIENCE"], env["USER_ALICE"], env["TOKEN_ALICE"], env["ORG_ACME"])
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
	output, err := cmd.CombinedOutput()
	want := "GET /mine 418\nGET /readyz 200\nDELETE /auth/v1/users/me/avatar 200\n"
	if err != nil || string(output) != want {
		t.Errorf("the program ended with %v and said\n%s\nwant\n%s", err, output, want)
	}
}
