//go:build unix

package e2e

import (
	"encoding/json"
	"errors"
	"go/build"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// anything stands in an expected answer for text that differs from run to run.
const anything = "…"

// devDefault is the address of dev in the pages.
const devDefault = "127.0.0.1:8080"

// example is something that a page tells its readers to type: a block marked "sh". What they get to see is in the
// block that follows on the next line, marked "json" where only the value matters and "text" where each letter does.
type example struct {
	line   int
	script string
	answer string // "" = nothing is said about it
	isJSON bool
}

func examplesOf(t *testing.T, page string) []example {
	t.Helper()
	fences, _ := readPage(t, page)
	var all []example
	for i, f := range fences {
		if f.kind != "sh" {
			continue
		}
		e := example{line: f.from, script: f.text}
		if i+1 < len(fences) && fences[i+1].from == f.to+1 {
			e.answer, e.isJSON = fences[i+1].text, fences[i+1].kind == "json"
		}
		all = append(all, e)
	}
	return all
}

// check compares an output with the answer on the page.
func (e example) check(t *testing.T, output string) {
	t.Helper()
	if !e.isJSON {
		if !likeText(e.answer, output) {
			t.Errorf("line %d: the output is\n%s\nwant\n%s", e.line, output, e.answer)
		}
		return
	}
	var got, want any
	if err := json.Unmarshal([]byte(output), &got); err != nil {
		t.Fatalf("line %d: the output is no JSON: %v\n%s", e.line, err, output)
	}
	if err := json.Unmarshal([]byte(e.answer), &want); err != nil {
		t.Fatalf("line %d: the answer on the page is no JSON: %v", e.line, err)
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b string) bool { return likeText(a, b) || likeText(b, a) })); diff != "" {
		t.Errorf("line %d: the output (-page +got):\n%s", e.line, diff)
	}
}

// likeText reports whether text is what the pattern says, spaces at both ends aside.
func likeText(pattern, text string) bool {
	parts := strings.Split(strings.TrimSpace(pattern), anything)
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(part)
	}
	return regexp.MustCompile(`\A` + strings.Join(parts, `.+`) + `\z`).MatchString(strings.TrimSpace(text))
}

func TestLikeText(t *testing.T) {
	for _, row := range []struct {
		pattern, text string
		want          bool
	}{
		{"ok", "ok\n", true}, {"ok", "no", false}, {"a.c", "abc", false},
		{"… (ID)", "words (ID)", true}, {"… (ID)", "words (IE)", false}, {"… (ID)", " (ID) more", false},
		{"…", "", false}, {"a…b", "a\nb", false}, // it stands for something, within a line
	} {
		if got := likeText(row.pattern, row.text); got != row.want {
			t.Errorf("likeText(%q, %q) = %v, want %v", row.pattern, row.text, got, row.want)
		}
	}
}

// terminal runs what the pages say as a reader would, one shell after the other in one directory.
type terminal struct {
	dir     string
	environ []string
	address string // of dev
}

// newTerminal returns a terminal in dir with more variables than the test itself has.
func newTerminal(t *testing.T, dir, address string, variables ...string) *terminal {
	t.Helper()
	Program(t, "curl")
	// curl shows a progress bar whenever its output is not a terminal, as readers' output is.
	settings := t.TempDir()
	if err := os.WriteFile(filepath.Join(settings, ".curlrc"), []byte("silent\nshow-error\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := append(os.Environ(), "CURL_HOME="+settings, "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
	if path, err := findProgram("grpcurl"); err == nil {
		environ = append(environ, "PATH="+filepath.Dir(path)+string(filepath.ListSeparator)+os.Getenv("PATH"))
	}
	return &terminal{dir: dir, environ: append(environ, variables...), address: address}
}

// devTerminal starts dev and returns a terminal that knows the variables of its environment file.
func devTerminal(t *testing.T) *terminal {
	t.Helper()
	_, env := startDev(t)
	var variables []string
	for name, value := range env {
		variables = append(variables, name+"="+value)
	}
	return newTerminal(t, t.TempDir(), strings.TrimPrefix(env["AVATARD_URL"], "http://"), variables...)
}

// run returns what a script prints. A command that fails shows in that.
func (term *terminal) run(t *testing.T, script string) string {
	t.Helper()
	if strings.Contains(script, "grpcurl") {
		Program(t, "grpcurl")
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.ReplaceAll(script, devDefault, term.address))
	cmd.Dir, cmd.Env = term.dir, term.environ
	output, err := cmd.CombinedOutput()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatalf("%s: %v", script, err)
	}
	return string(output)
}

// source makes the variables of an environment file those of the terminal, as ". FILE" would in one shell.
func (term *terminal) source(t *testing.T, file string) {
	t.Helper()
	term.environ = strings.Split(strings.TrimSpace(term.run(t, ". "+file+" && env")), "\n")
}

// Program returns the path of a program that a test cannot do without. Where it is missing the test is skipped, in
// continuous integration it fails.
func Program(t *testing.T, name string) string {
	t.Helper()
	path, err := findProgram(name)
	if err == nil {
		return path
	}
	hint := map[string]string{"grpcurl": "; get it with .tools/install.sh grpcurl"}[name]
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing%s", name, hint)
	}
	t.Skipf("%s is missing, so this is not tested here%s", name, hint)
	return ""
}

// findProgram looks where a shell looks, where servers are, where .tools/install.sh puts programs and where "go install" does.
func findProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return filepath.Abs(path)
	}
	for _, dir := range []string{"/usr/sbin", "bin", os.Getenv("GOBIN"), filepath.Join(filepath.SplitList(build.Default.GOPATH)[0], "bin")} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); dir != "" && err == nil {
			return filepath.Abs(path)
		}
	}
	return "", err
}
