//go:build unix

package e2e

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/cli"
)

// signal sends a signal to a program and waits until it has said something.
func (p *process) signal(s syscall.Signal, want string) {
	p.t.Helper()
	p.out.expect(want)
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.out.seen:
	case <-p.done:
		p.t.Fatalf("the program ended with %v at %v, want %q:\n%s", p.cmd.ProcessState, s, want, p.out)
	}
}

// overwrite makes text the content of a file that is there.
func overwrite(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A server without TLS and without a file outlives SIGHUP and says what it does about it.
func TestHangupWithNothingToReload(t *testing.T) {
	becomeProgram()
	p := startProcess(t, nil, serveArgs(t, filepath.Join(t.TempDir(), "data"))...)
	p.serving()
	for range 2 {
		p.signal(syscall.SIGHUP, "nothing to reload")
	}
	wantStatus(t, 200, "GET", p.serving()+"/healthz", "")
	p.stop()
}

// SIGHUP takes the level of the log from the configuration file and nothing else. A file with a fault changes nothing.
func TestHangupReadsTheConfiguration(t *testing.T) {
	becomeProgram()
	file := writeFile(t, "avatard.yaml", "log:\n  level: warn\nrealm: first\n")
	args := append(serveArgs(t, filepath.Join(t.TempDir(), "data")), "--config", file)
	p := startProcess(t, nil, append(args, "--log-level", "info")...)
	p.serving()
	p.signal(syscall.SIGHUP, "msg=\"configuration read\" log_level=INFO changed=false") // a flag wins over the file
	p.stop()

	overwrite(t, file, "log:\n  level: info\nrealm: first\n")
	p = startProcess(t, nil, args...)
	p.serving()
	p.signal(syscall.SIGHUP, "changed=false")
	overwrite(t, file, "log:\n  level: loud\n")
	p.signal(syscall.SIGHUP, "expected debug, info, warn or error")
	overwrite(t, file, "log:\n  level: error\nrealm: first\n")
	p.signal(syscall.SIGHUP, "msg=\"configuration read\" log_level=ERROR changed=true")
	before := p.out.String()
	if strings.Contains(before, "take effect at the next start") {
		t.Errorf("the log tells of settings that did not change:\n%s", before)
	}
	overwrite(t, file, "log:\n  level: debug\nrealm: second\n")
	p.signal(syscall.SIGHUP, "log_level=DEBUG changed=true")
	if quiet := strings.TrimPrefix(p.out.String(), before); strings.Contains(quiet, "level=INFO msg=reloading") {
		t.Errorf("the level error was not in force:\n%s", quiet)
	}
	p.signal(syscall.SIGHUP, "take effect at the next start")
	p.stop()
	if strings.Contains(p.out.String(), "planted-secret") {
		t.Errorf("the secret is in the log:\n%s", p.out)
	}
}

// devProcess is dev in a process of its own, with its temporary directory in one of the test.
type devProcess struct {
	*process
	temp, envFile string
}

func startDevProcess(t *testing.T, temp string) *devProcess {
	t.Helper()
	d := &devProcess{temp: temp, envFile: filepath.Join(t.TempDir(), "dev.env")}
	d.process = startProcess(t, func(c *exec.Cmd) { c.Env = append(c.Env, "TMPDIR="+temp) },
		"dev", "--listen", "127.0.0.1:0", "--env-file", d.envFile)
	select {
	case <-d.out.seen:
	case <-d.done:
		t.Fatalf("dev ended before it was ready:\n%s", d.out)
	}
	return d
}

// address returns the address that dev serves on.
func (d *devProcess) address() string {
	d.t.Helper()
	_, rest, _ := strings.Cut(d.out.String(), devReady)
	u, err := url.Parse(strings.Fields(rest)[0])
	if err != nil {
		d.t.Fatal(err)
	}
	return u.Host
}

// wantNothingLeft waits for the end of a dev and looks for its directory and its tokens.
func (d *devProcess) wantNothingLeft() {
	d.t.Helper()
	d.wantEnd("dev", cli.ExitOK)
	if left := dirNames(d.t, d.temp); len(left) > 0 {
		d.t.Errorf("the temporary directory still holds %v", left)
	}
	if _, err := os.Lstat(d.envFile); err == nil {
		d.t.Error("the file with tokens is still there")
	}
}

func dirNames(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// A terminal that is closed ends dev as an interrupt does.
func TestDevCleansUpOnHangup(t *testing.T) {
	becomeProgram()
	d := startDevProcess(t, t.TempDir())
	if err := d.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	d.wantNothingLeft()
}

// The second signal cuts off a call that the first one let go on, and dev still cleans up.
func TestDevCleansUpOnTheSecondSignal(t *testing.T) {
	becomeProgram()
	d := startDevProcess(t, t.TempDir())
	conn, err := net.Dial("tcp", d.address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	held := "POST /zitadel.auth.v1.AuthService/RemoveMyAvatar HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n" +
		"Authorization: Bearer " + envValue(t, d.envFile, "TOKEN_ALICE") + "\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
	if _, err := conn.Write([]byte(held)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil { // of 100 Continue: the call waits for its body
		t.Fatal(err)
	}
	if err := d.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for refused := false; !refused; { // until it no longer listens, it has not heard the first
		conn, err := net.Dial("tcp", d.address())
		if refused = err != nil; !refused {
			conn.Close()
		}
	}
	if err := d.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	d.wantNothingLeft()
}

// dev removes what an earlier one left that was killed, and nothing else.
func TestDevSweepsWhatAKilledOneLeft(t *testing.T) {
	becomeProgram()
	temp := t.TempDir()
	killed := startDevProcess(t, temp)
	left := dirNames(t, temp)
	killed.kill()
	if len(left) != 1 || !slices.Equal(left, dirNames(t, temp)) {
		t.Fatalf("a killed dev left %v of %v, want one directory", dirNames(t, temp), left)
	}
	target := t.TempDir()
	if err := os.WriteFile(filepath.Join(target, "avatard.lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		os.Symlink(target, filepath.Join(temp, "avatard-dev-link")),
		os.Mkdir(filepath.Join(temp, "avatard-dev-new"), 0o700),
		os.WriteFile(filepath.Join(temp, "avatard-dev-file"), nil, 0o600),
		os.Mkdir(filepath.Join(temp, "avatard-other"), 0o700),
		os.WriteFile(filepath.Join(temp, "avatard-other", "avatard.lock"), nil, 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	others := slices.DeleteFunc(dirNames(t, temp), func(name string) bool { return name == left[0] })
	first := startDevProcess(t, temp)
	mine := slices.DeleteFunc(dirNames(t, temp), func(name string) bool { return slices.Contains(others, name) })
	if len(mine) != 1 || mine[0] == left[0] {
		t.Errorf("beside what was there before a new dev has %v, want a directory of its own", mine)
	}
	second := startDevProcess(t, temp)
	wantStatus(t, 200, "GET", "http://"+first.address()+"/readyz", "")
	for _, d := range []*devProcess{second, first} {
		d.stop()
	}
	if got := dirNames(t, temp); !slices.Equal(got, others) {
		t.Errorf("in the end there are %v, want %v", got, others)
	}
	if len(dirNames(t, target)) != 1 {
		t.Error("a link was followed")
	}
}

// envValue returns the value of a variable of an environment file.
func envValue(t *testing.T, file, name string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), name+"='")
	value, _, _ := strings.Cut(rest, "'")
	return value
}

// A backup whose terminal is closed leaves nothing half written.
func TestHangupEndsABackup(t *testing.T) {
	becomeProgram()
	dir, target := t.TempDir(), t.TempDir()
	ln, err := net.Listen("unix", filepath.Join(dir, admin.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{})
	var once sync.Once
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		once.Do(func() { close(asked) })
		<-r.Context().Done()
	})}
	go server.Serve(ln)
	defer server.Close()
	p := startProcess(t, nil, "backup", filepath.Join(target, "backup"), "--data", dir)
	<-asked
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.wantEnd("backup", cli.ExitFailed)
	if left := dirNames(t, target); len(left) > 0 {
		t.Errorf("there are %v, want nothing", left)
	}
}
