//go:build unix

package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What the README promises on its first screen holds for a fresh copy of the repository: each line is run as it
// stands there, the first one too.
func TestReadme(t *testing.T) {
	t.Parallel()
	page := examplesOf(t, "README.md")
	if len(page) < 3 {
		t.Fatalf("found %d examples, want 3 or more", len(page))
	}
	dir := copyOfRepository(t)
	address := startAsWritten(t, dir, strings.TrimSpace(page[0].script))
	term := newTerminal(t, dir, address)
	term.source(t, "./.avatard.env")

	pictures := map[string]string{}
	for _, who := range [][2]string{{"ORG_ACME", "USER_ALICE"}, {"ORG_GLOBEX", "USER_CAROL"}} {
		pictures[who[1]] = term.run(t, fmt.Sprintf(`printf %%s "$AVATARD_URL/assets/v1/$%s/users/$%s/avatar"`, who[0], who[1]))
		wantStatus(t, 200, "GET", pictures[who[1]], "")
	}
	for _, e := range page[1:] {
		t.Run(fmt.Sprintf("line %d", e.line), func(t *testing.T) {
			first := term.run(t, e.script)
			e.check(t, first)
			for user, url := range pictures {
				if strings.Contains(e.script, "$"+user) {
					wantStatus(t, 404, "GET", url, "")
					delete(pictures, user)
				}
			}
			if diff := cmp.Diff(first, term.run(t, e.script)); diff != "" {
				t.Errorf("the same again answers differently (-first +second):\n%s", diff)
			}
		})
	}
	if _, err := findProgram("grpcurl"); err == nil && len(pictures) > 0 {
		t.Errorf("not deleted by any example: %v", pictures)
	}
}

// copyOfRepository returns a directory with everything that a clone has.
func copyOfRepository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		switch {
		case name == "bin" || name == "test" || strings.HasPrefix(name, "."): // what is installed here is large
			continue
		case e.IsDir():
			err = os.CopyFS(filepath.Join(dir, name), os.DirFS(name))
		default:
			var data []byte
			if data, err = os.ReadFile(name); err == nil {
				err = os.WriteFile(filepath.Join(dir, name), data, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// startAsWritten runs the start command of the README until the test ends and returns the address of dev. Only where
// somebody else has the port is another one added to the command.
func startAsWritten(t *testing.T, dir, command string) (address string) {
	t.Helper()
	if command != "go run . dev" {
		t.Fatalf("the README starts with %q, want one plain command", command)
	}
	words := strings.Fields(command)
	if ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", devDefault); err == nil {
		ln.Close()
	} else {
		t.Logf("%v: dev gets another port", err)
		words = append(words, "--listen", "127.0.0.1:0")
	}
	out := newTranscript("RemoveHumanAvatar\n") // the last of its greeting
	cmd := exec.Command(words[0], words[1:]...) // t.Context would kill it before the clean-up below
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's ^C goes to "go" and to what it runs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-out.seen:
	case err := <-ended:
		t.Fatalf("%s ended before it was ready: %v\n%s", command, err, out)
	}
	t.Cleanup(func() {
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
			t.Error(err)
		}
		<-ended // "go run" itself answers ^C with 1, whatever its program does
		if strings.Contains(out.String(), "exit status") || strings.Contains(out.String(), "avatard: ") {
			t.Errorf("%s did not end well:\n%s", command, out)
		}
	})
	_, rest, _ := strings.Cut(out.String(), devReady+"http://")
	address, _, ok := strings.Cut(rest, "\n")
	if !ok {
		t.Fatalf("no address in the output:\n%s", out)
	}
	return address
}

// The examples of the API's page, one after the other.
func TestExamplesOfTheAPI(t *testing.T) {
	term := devTerminal(t)
	page := examplesOf(t, "docs/api.md")
	if len(page) < 8 {
		t.Fatalf("found %d examples, want 8 or more", len(page))
	}
	for _, e := range page {
		t.Run(fmt.Sprintf("line %d", e.line), func(t *testing.T) {
			e.check(t, term.run(t, e.script))
		})
	}
}
