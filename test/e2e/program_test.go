//go:build unix

package e2e

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"example.org/avatard/internal/cli"
)

// The variables that turn a test process into the program: its command line, and the user it is to run as, if another.
const (
	programArgs = "AVATARD_TEST_PROGRAM_ARGS"
	programUser = "AVATARD_TEST_PROGRAM_USER"
	// programInput tells that standard input is the program's own, not there to tell of the test's end.
	programInput = "AVATARD_TEST_PROGRAM_INPUT"
	// programEnviron tells that the program is to see the variables.
	programEnviron = "AVATARD_TEST_PROGRAM_ENVIRON"
)

// becomeProgram makes this process the program, where it was started to be that. The first line of a test that starts others.
func becomeProgram() {
	args := os.Getenv(programArgs)
	if args == "" {
		return
	}
	os.Unsetenv(programArgs)
	if id, err := strconv.Atoi(os.Getenv(programUser)); err == nil {
		if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(id), syscall.Setuid(id)); err != nil {
			panic(err)
		}
	}
	if os.Getenv(programInput) == "" {
		endWithTest()
	}
	p := &cli.Program{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	if os.Getenv(programEnviron) != "" {
		p.Environ = slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "AVATARD_TEST_") })
	}
	err := p.Run(cli.EndOnSignal(context.Background()), strings.Split(args, "\n"))
	os.Exit(cli.Report(os.Stderr, err)) //nolint:revive // this process is the program, and its exit code is what the test is about
}

// endWithTest ends this process when the test that started it is gone.
func endWithTest() {
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(cli.ExitFailed) //nolint:revive // nobody is left to report to
	}()
}

// process is the program in a process of its own.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  *transcript // stdout and stderr
	done chan struct{}
}

// startProcess starts the program. prepare may change how, nil = nothing.
func startProcess(t *testing.T, prepare func(*exec.Cmd), args ...string) *process {
	t.Helper()
	p := &process{t: t, out: newTranscript(serveReady), done: make(chan struct{})}
	if args[0] == "dev" {
		p.out.expect("avatard dev is ready")
	}
	p.cmd = testCommand(t, t.Name())
	p.cmd.Env = append(p.cmd.Env, programArgs+"="+strings.Join(args, "\n"))
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if prepare != nil {
		prepare(p.cmd)
	}
	if p.cmd.Stdin != nil {
		p.cmd.Env = append(p.cmd.Env, programInput+"=1")
	} else if _, err := p.cmd.StdinPipe(); err != nil { // it ends when this test does
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		p.cmd.Wait()
	}()
	t.Cleanup(p.kill)
	return p
}

// testCommand returns the command that runs one test of this test program.
func testCommand(t *testing.T, name string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	name, _, _ = strings.Cut(name, "/")
	cmd := exec.Command(self, "-test.run=^"+name+"$")
	cmd.Env = os.Environ()
	return cmd
}

// serving waits until the program serves and returns its URL.
func (p *process) serving() string {
	p.t.Helper()
	select {
	case <-p.out.seen:
	case <-p.done:
		p.t.Fatalf("the server ended before it was ready:\n%s", p.out)
	}
	_, rest, _ := strings.Cut(p.out.String(), serveReady)
	return "http://" + strings.Fields(rest)[0]
}

// kill ends the program as a power cut would. It may be called twice.
func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.done
}

// wantRefusal checks how a program ends that does not come to serve, and what it says.
func (p *process) wantRefusal(title string, code int, texts ...string) {
	p.t.Helper()
	select {
	case <-p.done:
	case <-p.out.seen:
		p.t.Errorf("%s: the program serves, want a refusal:\n%s", title, p.out)
		p.kill()
		return
	}
	p.wantEnd(title, code, texts...)
}

// wantEnd waits for the end of a program and checks what came of it.
func (p *process) wantEnd(title string, code int, texts ...string) {
	p.t.Helper()
	<-p.done
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.t.Errorf("%s: exit code %d, want %d:\n%s", title, got, code, p.out)
	}
	for _, text := range texts {
		if !strings.Contains(p.out.String(), text) {
			p.t.Errorf("%s: the output does not say %q:\n%s", title, text, p.out)
		}
	}
	if strings.Contains(p.out.String(), "goroutine ") {
		p.t.Errorf("%s: the program crashed:\n%s", title, p.out)
	}
}

// stop ends the program as an operator does.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
	p.wantEnd("stopped", cli.ExitOK)
}
